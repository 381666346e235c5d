"""Agents, schedules and settings in the browser, with and without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Watch
from tests.browser.pages import connected, last_answer, new_thread, settled
from tests.flows.stack import Stack

# What the database cannot change is looked at on one of them; conversations are held on both.
pytestmark = pytest.mark.parametrize("stack", ["sqlite"], indirect=True)

PAGES = [
    "/",
    "/agents/",
    "/agents/new/",
    "/threads/",
    "/runs/",
    "/schedules/",
    "/inbox/",
    "/settings/notices/",
    "/settings/models/",
    "/settings/profile/",
    "/settings/tokens/",
    "/api/docs",
    "/admin/",
    "/admin/agents/agent/",
    "/admin/runs/run/",
]


def test_the_next_five_times_show_while_the_schedule_is_typed(
    stack: Stack, person: BrowserContext, watch: Watch
) -> None:
    watch.expected = ["422"]  # what was typed is not yet, or never, a schedule
    page = person.new_page()
    page.goto(f"{stack.origin}/agents/new/")
    page.get_by_label("Name", exact=True).fill("Watcher")
    box = page.locator("input[name=schedule]")
    box.press_sequentially("0 7 * * 1-5", delay=20)
    expect(page.locator("#preview")).to_contain_text("07:00")
    expect(page.locator("#preview time")).to_have_count(5)
    assert page.evaluate("document.activeElement.name") == "schedule"
    box.fill("0 0 31 2 *")
    expect(page.locator("#preview")).to_contain_text(re.compile("never", re.I))


def test_what_belongs_to_one_choice_shows_with_it_and_wherever_it_is_wrong(
    stack: Stack, person: BrowserContext, watch: Watch
) -> None:
    watch.expected = ["422"]  # a number of runs that no thread can have
    page = person.new_page()
    page.goto(f"{stack.origin}/schedules/new/")
    thread, every, runs = (page.locator(f"#id_{name}") for name in ("thread", "roll_every", "roll_runs"))
    expect(thread).to_be_hidden()
    page.get_by_label("A thread of mine").check()
    expect(thread).to_be_visible()
    page.get_by_label("A thread that is made anew").check()
    expect(thread).to_be_hidden()
    expect(runs).to_be_hidden()
    every.select_option(label="After a number of runs")
    runs.fill("0")
    page.get_by_label("A thread of its own").check()
    expect(every).to_be_hidden()
    page.get_by_label("In words").fill("every weekday at 7")
    page.get_by_role("button", name="Save schedule").click()
    expect(page.locator(".error-summary")).to_contain_text("After so many runs")
    expect(runs).to_be_visible()


def test_a_schedule_writes_into_its_thread_while_the_thread_is_open(stack: Stack, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{stack.origin}/agents/new/")
    page.get_by_label("Name", exact=True).fill("Every minute")
    page.locator("[name=task_instructions]").fill("Say that it is time")
    page.locator("input[name=schedule]").fill("* * * * *")
    # A page that is left too early takes the form on its way with it.
    page.get_by_role("button", name=re.compile("Save|Create")).first.click()
    page.wait_for_url(re.compile(r"/agents/\d+/"))
    page.goto(f"{stack.origin}/schedules/")
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.get_by_role("button", name=re.compile("Run now")).first.click()
    page.goto(f"{stack.origin}/threads/")
    page.get_by_role("link", name=re.compile("Every minute")).first.click()
    connected(page)
    settled(page)
    before = page.locator("article[data-role=assistant]").count()
    expect(page.locator("article[data-role=assistant]")).to_have_count(before + 1, timeout=70_000)
    expect(page.locator(".divider").last).to_contain_text("scheduled run")
    expect(last_answer(page)).to_contain_text("Say that it is time")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_every_page_loads_within_its_policy_and_without_scrolling_sideways(
    stack: Stack, person: BrowserContext, path: str, width: int
) -> None:
    page = person.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    answer = page.goto(f"{stack.origin}{path}")
    assert answer is not None
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    if not path.startswith("/admin"):  # Django's own look scrolls its tables
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_wrong_key_is_named_by_the_test_button(stack: Stack, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{stack.origin}/settings/models/")
    page.get_by_role("button", name="Test").first.click()
    expect(page.get_by_text(re.compile(r"works|models", re.I)).first).to_be_visible()


def test_run_now_on_the_home_page_runs_the_task(stack: Stack, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{stack.origin}/")
    page.get_by_role("button", name="Run Assistant now").click()
    page.goto(f"{stack.origin}/runs/")
    expect(page.locator("main")).to_contain_text("Done", timeout=15_000)


def test_a_thread_is_found_again_on_the_list(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    address = page.url
    page.goto(f"{stack.origin}/threads/")
    page.locator(f'a[href="{address.removeprefix(stack.origin)}"]').click()
    assert page.url == address
