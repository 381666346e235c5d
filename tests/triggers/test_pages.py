"""The pages of schedules: making, previewing, pausing and running them, for their owner and nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from agents.models import Agent
from runs.models import Run
from tests.conftest import ClientOf
from threads.models import Thread
from threads.services import create_thread
from triggers.models import Occurrence, Schedule
from triggers.tasks import tick

from .conftest import NOON, MakeSchedule, ledger

FORM = {
    "name": "",
    "kind": "cron",
    "expression": "0 7 * * 1-5",
    "timezone": "Europe/Berlin",
    "prompt": "",
    "thread_mode": "own",
    "thread": "",
    "overlap_policy": "skip",
    "missed_policy": "latest",
    "enabled": "on",
}
HTMX = {"HX-Request": "true"}


def test_a_schedule_is_made_from_its_form(agent: Agent, owner: User, client_of: ClientOf) -> None:
    browser = client_of(owner)
    page = browser.get(reverse("schedules:new"), {"agent": agent.pk})
    assert page.status_code == 200
    answer = browser.post(reverse("schedules:new"), {**FORM, "agent": agent.pk})
    schedule = Schedule.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, reverse("schedules:detail", args=[schedule.pk]))
    assert (schedule.owner, schedule.agent, schedule.expression) == (owner, agent, "0 7 * * 1-5")
    assert schedule.next_run_at is not None
    listed = browser.get(reverse("schedules:list")).content.decode()
    assert "At 07:00 on weekdays, Europe/Berlin" in listed
    assert "Run now" in listed


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"expression": "0 0 31 2 *"}, "31 February never comes."),
        ({"expression": ""}, "Say when."),
        ({"timezone": "Berlin"}, "Did you mean Europe/Berlin?"),
        ({"kind": "interval", "expression": "10"}, "at least 60 seconds"),
        ({"kind": "once", "expression": "2001-01-01T00:00"}, "That time is over."),
        ({"kind": "never"}, "Select a valid choice"),
        ({"thread_mode": "bound"}, "Choose the thread"),
        ({"name": "x" * 121}, "at most 120 characters"),
        ({"agent": "999999"}, "Select a valid choice"),
        ({"prompt": "x" * 300_000}, "KiB"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_written_stays(
    agent: Agent, owner: User, client_of: ClientOf, wrong: dict[str, str], said: str
) -> None:
    browser = client_of(owner)
    answer = browser.post(reverse("schedules:new"), {**FORM, "agent": agent.pk, "prompt": "Keep this.", **wrong})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert said in html.replace("&#x27;", "'")
    assert "prompt" in wrong or "Keep this." in html
    assert not Schedule.objects.exists()


def test_the_next_times_show_in_the_schedules_zone(
    owner: User, client_of: ClientOf, clock: time_machine.Traveller
) -> None:
    browser = client_of(owner)
    sent = {"expression": "30 2 * * *", "timezone": "Europe/Berlin"}
    answer = browser.post(reverse("schedules:preview"), sent, headers=HTMX)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert html.count("<time ") == 5
    assert "At 02:30 every day, Europe/Berlin" in html
    assert '<time datetime="2026-03-29T03:00:00+02:00">Sun 29 Mar 2026, 03:00</time>' in html
    assert "in 13 h" in html
    assert "Clocks go forward on Sunday 29 March 2026" in html
    assert "<html" not in html


def test_the_agents_form_is_previewed_by_its_own_field_names(owner: User, client_of: ClientOf) -> None:
    sent = {"schedule": "0 7 * * *", "schedule_timezone": "", "system_instructions": "x" * 1000}
    answer = client_of(owner).post(reverse("schedules:preview"), sent, headers=HTMX)
    assert "At 07:00 every day, UTC" in answer.content.decode()


def test_an_error_shows_in_the_preview_and_no_text_at_all_is_no_error(owner: User, client_of: ClientOf) -> None:
    browser = client_of(owner)
    wrong = browser.post(reverse("schedules:preview"), {"schedule": "0 0 31 2 *"}, headers=HTMX)
    assert (wrong.status_code, "31 February never comes." in wrong.content.decode()) == (200, True)
    empty = browser.post(reverse("schedules:preview"), {"schedule": " "}, headers=HTMX)
    assert (empty.status_code, "msg" in empty.content.decode()) == (200, False)


def test_without_script_the_preview_is_a_page_and_on_the_form_keeps_what_was_written(
    agent: Agent, owner: User, client_of: ClientOf
) -> None:
    browser = client_of(owner)
    page = browser.post(reverse("schedules:preview"), {"schedule": "0 7 * * *"})
    assert "<html" in page.content.decode()
    form = browser.post(reverse("schedules:new"), {**FORM, "agent": agent.pk, "prompt": "Keep this.", "preview": "1"})
    html = form.content.decode()
    assert form.status_code == 200
    assert "At 07:00 on weekdays, Europe/Berlin" in html
    assert "Keep this." in html
    assert not Schedule.objects.exists()


def test_a_preview_is_what_fires(agent: Agent, owner: User, client_of: ClientOf, clock: time_machine.Traveller) -> None:
    browser = client_of(owner)
    browser.post(reverse("schedules:new"), {**FORM, "agent": agent.pk, "expression": "30 2 * * *"})
    page = browser.get(reverse("schedules:detail", args=[Schedule.objects.get().pk])).content.decode()
    clock.move_to(NOON + timedelta(days=1, hours=14))
    tick()
    due = Occurrence.objects.get(outcome="ran").scheduled_for
    assert f'<time datetime="{due.isoformat()}'.replace("T01:00:00+00:00", "T03:00:00+02:00") in page


def test_the_ledger_links_to_the_runs(
    make_schedule: MakeSchedule, owner: User, client_of: ClientOf, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *")
    clock.move_to(NOON + timedelta(hours=2, minutes=1))
    tick()
    html = client_of(owner).get(reverse("schedules:detail", args=[schedule.pk])).content.decode()
    assert reverse("runs:detail", args=[Run.objects.get().pk]) in html
    assert "Missed" in html
    assert "Zerg was off or too busy at this time." in html


def test_pause_stops_it_and_resume_counts_from_now(
    make_schedule: MakeSchedule, owner: User, client_of: ClientOf, clock: time_machine.Traveller
) -> None:
    schedule, browser = make_schedule("0 * * * *"), client_of(owner)
    answer = browser.post(reverse("schedules:pause", args=[schedule.pk]), {"back": "list"})
    assert (answer.status_code, answer["Location"]) == (303, reverse("schedules:list"))
    clock.move_to(NOON + timedelta(hours=5, minutes=30))
    tick()
    browser.post(reverse("schedules:resume", args=[schedule.pk]))
    schedule.refresh_from_db()
    assert schedule.next_run_at == NOON + timedelta(hours=6)
    assert ledger(schedule) == [("skipped", f"03-27 {hour}:00") for hour in range(17, 12, -1)]
    assert set(schedule.occurrences.values_list("reason", flat=True)) == {"It was paused."}


def test_what_is_over_cannot_be_resumed_and_says_so(
    make_schedule: MakeSchedule, owner: User, client_of: ClientOf, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("2026-03-27T13:00", kind="once")
    clock.move_to(NOON + timedelta(hours=1))
    tick()
    answer = client_of(owner).post(reverse("schedules:resume", args=[schedule.pk]), follow=True)
    assert "That time is over." in answer.content.decode()


def test_editing_the_message_leaves_the_times_alone_and_editing_the_times_counts_anew(
    make_schedule: MakeSchedule, owner: User, client_of: ClientOf, clock: time_machine.Traveller
) -> None:
    schedule, browser = make_schedule("900", kind="interval"), client_of(owner)
    address = reverse("schedules:detail", args=[schedule.pk])
    sent = {**FORM, "agent": schedule.agent_id, "kind": "interval", "expression": "900", "timezone": "UTC"}
    clock.move_to(NOON + timedelta(minutes=10))
    assert browser.post(address, {**sent, "prompt": "Look again."}).status_code == 303
    schedule.refresh_from_db()
    assert (schedule.prompt, schedule.next_run_at) == ("Look again.", NOON + timedelta(minutes=15))
    assert browser.post(address, {**sent, "expression": "30 minutes"}).status_code == 303
    schedule.refresh_from_db()
    assert (schedule.expression, schedule.next_run_at) == ("1800", NOON + timedelta(minutes=40))


def test_run_now_leads_to_the_thread(make_schedule: MakeSchedule, owner: User, client_of: ClientOf) -> None:
    schedule = make_schedule(prompt="Now")
    answer = client_of(owner).post(reverse("schedules:run", args=[schedule.pk]))
    assert answer["Location"] == reverse("threads:detail", args=[Thread.objects.get().pk])
    assert Run.objects.get().trigger == "manual"


def test_run_now_with_nothing_to_say_says_so_and_leaves_no_thread(
    make_schedule: MakeSchedule, agent: Agent, owner: User, client_of: ClientOf
) -> None:
    Agent.objects.filter(pk=agent.pk).update(task_instructions="")
    answer = client_of(owner).post(reverse("schedules:run", args=[make_schedule().pk]), follow=True)
    assert "no task instructions" in answer.content.decode()
    assert not Thread.objects.exists()


def test_deleting_keeps_the_threads(make_schedule: MakeSchedule, owner: User, client_of: ClientOf) -> None:
    schedule, browser = make_schedule(prompt="Now"), client_of(owner)
    browser.post(reverse("schedules:run", args=[schedule.pk]))
    browser.post(reverse("schedules:delete", args=[schedule.pk]))
    assert not Schedule.objects.exists()
    assert Thread.objects.exists()
    assert Run.objects.exists()
    agent = Agent.objects.get()
    assert agent.next_run_at is None


ROUTES = ["detail", "pause", "resume", "run", "delete"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("who", ["member", "stranger"])
def test_somebody_elses_schedule_is_not_there(
    route: str, who: str, make_schedule: MakeSchedule, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    schedule = make_schedule()
    browser = client_of(request.getfixturevalue(who))
    sent = {**FORM, "agent": schedule.agent_id, "expression": "* * * * *"}
    theirs = browser.post(reverse(f"schedules:{route}", args=[schedule.pk]), sent)
    missing = browser.post(reverse(f"schedules:{route}", args=[10**9]), sent)
    assert (theirs.status_code, missing.status_code) == (404, 404)
    if route == "detail":
        assert browser.get(reverse("schedules:detail", args=[schedule.pk])).status_code == 404
    before = schedule.next_run_at
    schedule.refresh_from_db()
    assert (schedule.expression, schedule.enabled, schedule.next_run_at) == ("0 12 * * *", True, before)
    assert not Run.objects.exists()
    assert "sch-" not in browser.get(reverse("schedules:list")).content.decode()


def test_no_schedule_for_somebody_elses_agent_or_into_somebody_elses_thread(
    agent: Agent, owner: User, member: User, stranger: User, client_of: ClientOf
) -> None:
    sent = {**FORM, "agent": agent.pk}
    assert client_of(stranger).get(reverse("schedules:new"), {"agent": agent.pk}).status_code in {303, 404}
    client_of(stranger).post(reverse("schedules:new"), sent)
    private = create_thread(agent, owner=owner)
    bound = client_of(member).post(reverse("schedules:new"), {**sent, "thread_mode": "bound", "thread": private.pk})
    assert bound.status_code == 422
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("address", ["list", "new", "preview", *ROUTES])
def test_who_is_not_signed_in_is_sent_to_sign_in(address: str, make_schedule: MakeSchedule) -> None:
    url = reverse(f"schedules:{address}", args=[make_schedule().pk] if address in ROUTES else [])
    answer = Client().post(url)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, reverse("sign_in"))


@pytest.mark.parametrize("address", ["preview", "pause", "resume", "run", "delete"])
def test_nothing_changes_by_a_get(address: str, make_schedule: MakeSchedule, owner: User, client_of: ClientOf) -> None:
    url = reverse(f"schedules:{address}", args=[make_schedule().pk] if address in ROUTES else [])
    assert client_of(owner).get(url).status_code == 405


def test_the_list_asks_as_much_for_fifty_schedules_as_for_five(
    make_schedule: MakeSchedule,
    owner: User,
    client_of: ClientOf,
    django_assert_num_queries: DjangoAssertNumQueries,
    clock: time_machine.Traveller,
) -> None:
    browser, address = client_of(owner), reverse("schedules:list")
    for number in range(5):
        make_schedule(name=f"Number {number}")
    clock.move_to(NOON + timedelta(days=1))
    tick()
    with django_assert_num_queries(5):  # session, person, rows twice, what waits in the inbox
        browser.get(address)
    for number in range(45):
        make_schedule(name=f"More {number}")
    with django_assert_num_queries(5):
        assert browser.get(address).content.decode().count('id="sch-') >= 50
