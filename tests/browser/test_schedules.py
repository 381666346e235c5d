"""Schedules that people can trust: what was promised is what comes, and nothing of it is silent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from common.templatetags.zerg import money
from tests.browser import simulating
from tests.browser.second import Second
from tests.browser.test_access import PHONE, tab_to
from tests.browser.test_costs import GIVE_PRICES
from tests.browser.test_notices import empty_inbox
from tests.flows.parts import wait_until
from tests.flows.stack import Stack

ROWS = "section[aria-labelledby=ledger] li"


def moments(times: Locator) -> list[datetime]:
    """When the ``<time>`` elements are."""
    found = times.evaluate_all("all => all.map(one => one.dateTime)")
    return [datetime.fromisoformat(text).astimezone(UTC) for text in found]


def new_form(person: Second, agent: int) -> Page:
    page = person.context.new_page()
    page.goto(f"{person.stack.origin}/schedules/new/?agent={agent}")
    return page


def save(page: Page) -> int:
    """The id of the schedule."""
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url(re.compile(r"/schedules/\d+/$"))
    return int(page.url.split("/")[-2])


def until_ended(person: Second, run: int) -> dict[str, Any]:
    wait_until(lambda: person.get(f"/api/runs/{run}")["finished_at"] is not None, f"run {run} has ended", 30)
    return dict(person.get(f"/api/runs/{run}"))


def test_fact_37_words_become_a_schedule_that_is_shown_before_it_is_saved(second: Second, stack: Stack) -> None:
    stack.manage("shell", "--no-imports", "-v", "0", "-c", GIVE_PRICES)
    agent = second.agent("Early bird", model="fake-2", task_instructions="What is new?")
    run = until_ended(second, second.say(second.thread(agent, "What it costs"), "What is new?"))
    before = len(second.get("/api/schedules?limit=500"))
    page = new_form(second, agent)
    page.locator("[name=timezone]").fill("America/New_York")
    page.get_by_label("In words").press_sequentially("every weekday at 7")

    expect(page.locator("#preview-sentence")).to_have_text("At 07:00 on weekdays, America/New_York")
    preview = page.locator("#preview-times")
    expect(preview.locator("code")).to_have_text("0 7 * * 1-5")
    expect(preview.locator("time")).to_have_count(5)
    shown = moments(preview.locator("time"))
    there = [moment.astimezone(ZoneInfo("America/New_York")) for moment in shown]
    assert {(time.hour, time.minute) for time in there} == {(7, 0)}
    assert [time.weekday() for time in there] == sorted({0, 1, 2, 3, 4}, key=lambda day: (day - there[0].weekday()) % 7)
    for line in preview.locator("li").all_inner_texts():
        assert re.search(
            r"\w{3} \d+ \w{3} \d{4}, 07:00 in \d+ (s|min|h|days) · .* by your clocks", " ".join(line.split())
        ), line
    said = re.search(r"About (\d+) runs a month · about (\S+) at", preview.inner_text())
    assert said, preview.inner_text()
    assert 20 <= int(said[1]) <= 23
    assert said[2] == money(Decimal(run["cost_usd"]) * int(said[1]))
    assert len(second.get("/api/schedules?limit=500")) == before

    schedule = second.get(f"/api/schedules/{save(page)}")
    assert (schedule["kind"], schedule["expression"]) == ("cron", "0 7 * * 1-5")
    assert datetime.fromisoformat(schedule["next_run_at"]) == shown[0]
    assert len(second.get("/api/schedules?limit=500")) == before + 1
    expect(page.locator("#preview-sentence")).to_have_text("At 07:00 on weekdays, America/New_York")
    assert moments(page.locator("#preview-times time")) == shown


def clock_changes(zone: str) -> list[datetime]:
    """The days, by the clocks of the zone, on which they change next: forward and back, whichever comes first."""
    day, there = datetime.now(ZoneInfo(zone)).replace(hour=12), []
    for _ in range(366):
        day, before = day + timedelta(days=1), day
        if day.utcoffset() != before.utcoffset():
            there.append(day)
    return there[:2]


def test_fact_38_what_is_previewed_over_both_clock_changes_is_what_then_runs(second: Second, stack: Stack) -> None:
    agent = second.agent("Clockmaker", task_instructions="What time is it?")
    shown: dict[int, list[datetime]] = {}
    for zone in ("Europe/Berlin", "America/New_York"):
        changes = clock_changes(zone)
        days = ",".join(str(day.day) for day in changes)
        months = ",".join(str(day.month) for day in changes)
        page = new_form(second, agent)
        page.locator("[name=timezone]").fill(zone)
        page.locator("[name=expression]").fill(f"30 2 {days} {months} *")
        page.locator("summary", has_text="Who is told").click()
        page.get_by_label("Only when it fails").check()
        expect(page.locator("#preview time")).to_have_count(5)
        previewed = moments(page.locator("#preview time"))
        there = {time.astimezone(ZoneInfo(zone)).date(): time.astimezone(ZoneInfo(zone)) for time in previewed}
        for day in changes:  # forward: 02:30 is not there that day
            assert f"{there[day.date()]:%H:%M}" == ("03:00" if day.dst() else "02:30")
        shown[save(page)] = previewed

    stack.manage(*simulating.call("come_due", list(shown), 5))

    for schedule, previewed in shown.items():
        page.goto(f"{stack.origin}/schedules/{schedule}/")
        rows = page.locator(ROWS)
        expect(rows).to_have_count(5)
        assert moments(rows.locator("time"))[::-1] == previewed
        assert [row.split("\n")[0].strip() for row in rows.all_inner_texts()] == ["Ran"] * 5
        ledger = second.get(f"/api/schedules/{schedule}/occurrences")[::-1]
        assert [datetime.fromisoformat(row["scheduled_for"]) for row in ledger] == previewed
        runs = [second.get(f"/api/runs/{row['run_id']}") for row in ledger]
        assert len({run["id"] for run in runs}) == 5
        assert {(run["schedule_id"], run["trigger"]) for run in runs} == {(schedule, "schedule")}
        due = [datetime.fromisoformat(run["queued_at"]) - timedelta(seconds=1) for run in runs]
        assert due == previewed
    forget(second, list(shown))


def forget(person: Second, schedules: list[int]) -> None:
    """What happened in times to come is not to stand on top of the lists of other tests."""
    headers = {"Authorization": f"Bearer {person.stack.accounts.stranger_token}"}
    for schedule in schedules:
        thread = person.get(f"/api/schedules/{schedule}")["thread_id"]
        for path in (f"schedules/{schedule}", f"threads/{thread}"):
            assert person.context.request.delete(f"{person.stack.origin}/api/{path}", headers=headers).ok, path


TIMES = 56
"""A week's, at every three hours: more than a page of the ledger."""


def test_fact_39_every_due_time_of_a_week_has_one_row_that_says_what_became_of_it(second: Second, stack: Stack) -> None:
    agent = second.agent("Night watch", task_instructions="All quiet?")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    due = [now - number * simulating.EVERY for number in range(TIMES)]  # newest first, as the page has them
    cron = f"{now.minute} {now.hour % 3}-23/3 * * *"
    plan = {"expression": cron, "timezone": "UTC", "notify_policy": "failure", "name": "Rounds"}
    schedule = second.post("/api/schedules", agent_id=agent, **plan)["id"]
    stack.manage(*simulating.call("week", schedule, f"{due[-1]:%Y-%m-%dT%H:%M:%SZ}", TIMES - 1))

    ledger = f"/api/schedules/{schedule}/occurrences?limit=500"
    wait_until(lambda: len(second.get(ledger)) == TIMES, "the last one has come", 30)
    last = until_ended(second, second.get(ledger)[0]["run_id"])
    page = second.context.new_page()
    page.goto(f"{stack.origin}/schedules/{schedule}/")
    head = moments(page.locator("main > p.muted time"))
    rows = rows_of(page)
    assert [moment for moment, _, _ in rows] == due
    said = [(outcome, status) for _, outcome, status in reversed(rows)]
    expected = [("Ran", "Done")] * TIMES
    expected[simulating.OUTAGE] = ("Missed", "")
    expected[simulating.OVERLAP + 1] = ("Skipped", "")
    expected[simulating.FAILURE] = ("Ran", "Failed")
    assert said == expected

    page.goto(f"{stack.origin}/runs/?schedule={schedule}")
    states = Counter(row["status"] for row in second.get(f"/api/runs?agent_id={agent}&limit=500"))
    assert states == {"succeeded": TIMES - 3, "failed": 1}
    expect(page.locator("main .pill[data-state=failed]")).to_have_count(1)
    expect(page.locator("main .pill[data-state=done]").first).to_be_visible()

    following = now + simulating.EVERY
    assert head[0] == following
    assert abs(head[1] - datetime.fromisoformat(last["queued_at"])) < timedelta(seconds=5)
    page.goto(f"{stack.origin}/schedules/")
    times = moments(page.locator(f"#sch-{schedule} time"))
    assert times == [now, following]
    expect(page.locator(f"#sch-{schedule} a[href='/runs/{last['id']}/']")).to_have_count(1)
    expect(page.locator(f"#sch-{schedule} .pill")).to_have_text("Done")
    page.goto(f"{stack.origin}/agents/?q=Night")
    card = moments(page.locator(".card-head", has_text="Night watch").locator("time"))
    assert card[0] == following
    assert abs(card[1] - datetime.fromisoformat(last["finished_at"])) < timedelta(seconds=5)


def rows_of(page: Page) -> list[tuple[datetime, str, str]]:
    """The whole ledger, newest first, through its pager: due time, outcome, and the status of its run."""
    found: list[tuple[datetime, str, str]] = []
    while True:
        for row in page.locator(ROWS).all():
            pills = [text.strip() for text in row.locator(".pill").all_inner_texts()]
            found.append((moments(row.locator("time"))[0], pills[0], pills[1] if len(pills) > 1 else ""))
        older = page.locator("section[aria-labelledby=ledger] [rel=next]")
        if not older.count():
            return found
        address = page.url
        older.click()
        page.wait_for_url(lambda url, address=address: url != address)  # type: ignore[misc]


def test_fact_40_a_scheduled_run_that_needs_somebody_says_so_and_holds_up_nothing(second: Second, stack: Stack) -> None:
    empty_inbox(second)
    agent = second.agent("Locked out", task_instructions="[[script: 401]]")
    schedule = second.post("/api/schedules", agent_id=agent, expression="0 0 1 1 *", name="New year")
    path = f"/api/schedules/{schedule['id']}"
    page = second.context.new_page()
    page.goto(f"{stack.origin}/")
    expect(page).not_to_have_title(re.compile("Needs you"))
    stack.manage(*simulating.call("come_due_now", schedule["id"]))
    expect(page).to_have_title(re.compile("^◆ Needs you · "), timeout=40_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("One thing needs you")
    expect(page.locator("main .rows > li").first).to_contain_text("Locked out")
    page.goto(f"{stack.origin}/inbox/")
    expect(page.locator("main .rows > li").first).to_contain_text("Locked out")
    assert second.get(path)["enabled"] is True
    assert second.get(path)["next_run_at"] == schedule["next_run_at"]

    # Nobody has done anything about it; the next one comes all the same, by hand and by the clock.
    page.goto(f"{stack.origin}/schedules/{schedule['id']}/")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(re.compile(r"/threads/\d+/$"))
    runs = f"/api/runs?agent_id={agent}"
    wait_until(lambda: [run["status"] for run in second.get(runs)] == ["failed"] * 2, "it has run by hand", 30)
    assert second.get(path)["next_run_at"] == schedule["next_run_at"]
    stack.manage(*simulating.call("come_due", [schedule["id"]], 1))
    newest, first = second.get(f"{path}/occurrences")
    assert (newest["outcome"], newest["scheduled_for"]) == ("ran", schedule["next_run_at"])
    assert second.get(f"/api/runs/{newest['run_id']}")["status"] == "succeeded"
    assert first["outcome"] == "ran"
    forget(second, [schedule["id"]])
    empty_inbox(second)


def test_words_are_typed_and_saved_with_the_keyboard_alone(second: Second, stack: Stack) -> None:
    page = new_form(second, second.agent("Typist", task_instructions="Say hello."))
    tab_to(page, "[name=words]")
    page.keyboard.type("every 2 hours")
    expect(page.locator("#preview time")).to_have_count(5)
    expect(page.locator("[name=words]")).to_be_focused()
    tab_to(page, "#schedule-form .btn.primary")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/schedules/\d+/$"))
    schedule = second.get(f"/api/schedules/{page.url.split('/')[-2]}")
    assert schedule["next_run_at"] is not None
    expect(page.locator("#preview time")).to_have_count(5)


@pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
def test_on_a_phone_the_editor_needs_no_scrolling_sideways_and_saves(
    contexts: Callable[..., BrowserContext], stack: Stack
) -> None:
    person = Second(contexts(**PHONE), stack)
    page = new_form(person, person.agent("Pocket", task_instructions="Say hello."))
    page.get_by_label("In words").fill("first monday 9:00")
    expect(page.locator("#preview time")).to_have_count(5)
    for summary in page.locator("#schedule-form summary").all():
        summary.tap()
    fits = "document.documentElement.scrollWidth <= innerWidth && visualViewport.scale === 1"
    assert page.evaluate(fits)
    button = page.get_by_role("button", name="Save schedule")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    button.tap()
    page.wait_for_url(re.compile(r"/schedules/\d+/$"))
    assert page.evaluate(fits)
    assert person.get(f"/api/schedules/{page.url.split('/')[-2]}")["expression"] == "0 9 * * 1#1"
