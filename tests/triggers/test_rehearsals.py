"""Trying a schedule without its effects, and making one of what was said."""

from __future__ import annotations

import pytest
import time_machine
from django.urls import reverse

from accounts.models import User
from agents.services import create_agent
from runs.models import Run
from tests.conftest import ClientOf
from threads.models import Thread
from threads.services import add_message, change
from triggers.models import Schedule
from triggers.services import rehearse, run_now

from .conftest import FAILED, MakeSchedule, work

pytestmark = pytest.mark.django_db


def test_a_rehearsal_runs_in_a_thread_of_its_own_and_moves_nothing(
    make_schedule: MakeSchedule, owner: User, client_of: ClientOf, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule(name="Morning look", prompt="What is new?")
    Schedule.objects.filter(pk=schedule.pk).update(notify_email=True)
    due = schedule.next_run_at
    answer = client_of(owner).post(reverse("schedules:rehearse", args=[schedule.pk]))
    run = Run.objects.select_related("thread", "input_message").get()
    assert (answer.status_code, answer["Location"]) == (303, reverse("threads:detail", args=[run.thread_id]))
    assert (run.thread.title, run.thread.thread_type) == ("Rehearsal of Morning look", "rehearse")
    assert run.input_message is not None
    assert run.input_message.content == "What is new?"
    assert (run.terms.rehearsal, run.terms.email, run.schedule_id) == (True, False, schedule.pk)
    schedule.refresh_from_db()
    assert (schedule.next_run_at, schedule.thread, schedule.last_run_at) == (due, None, None)
    assert not schedule.occurrences.exists()
    page = client_of(owner).get(f"/runs/{run.pk}/").content.decode()
    assert "Tools that change things were not called" in page


def test_how_it_ends_is_in_no_figure(make_schedule: MakeSchedule, owner: User) -> None:
    schedule = make_schedule(failure_limit=1)
    rehearse(schedule, actor=owner)
    work(FAILED)
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.failures_in_row) == (True, 0)
    agent = schedule.agent
    agent.refresh_from_db()
    assert (agent.pulse, agent.last_error, agent.status) == ("", "", "idle")
    run_now(schedule, actor=owner)
    work(FAILED)
    agent.refresh_from_db()
    assert (agent.pulse, agent.last_error, agent.status) == ("f", "It took too long.", "error")
    rehearse(schedule, actor=owner)
    work()
    agent.refresh_from_db()
    assert (agent.pulse, agent.last_error, agent.status) == ("f", "It took too long.", "error")


@pytest.mark.parametrize("who", ["member", "stranger"])
def test_nobody_else_rehearses_it(
    who: str, make_schedule: MakeSchedule, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    schedule = make_schedule()
    answer = client_of(request.getfixturevalue(who)).post(reverse("schedules:rehearse", args=[schedule.pk]))
    assert (answer.status_code, Run.objects.count()) == (404, 0)


def test_what_was_said_becomes_a_schedule(owner: User, thread: Thread, client_of: ClientOf) -> None:
    with change(thread.pk) as locked:
        said = add_message(locked, role="user", content="Look for <b>news</b>")
    browser = client_of(owner)
    address = f"{reverse('schedules:new')}?message={said.pk}"
    assert address in browser.get(f"/threads/{thread.pk}/").content.decode()
    page = browser.get(address).content.decode()
    assert "Look for &lt;b&gt;news&lt;/b&gt;</textarea>" in page
    assert f'<option value="{thread.agent_id}" selected>' in page


def test_what_somebody_else_said_does_not(stranger: User, thread: Thread, client_of: ClientOf) -> None:
    create_agent(workspace=stranger.home_workspace(), author=stranger, name="Theirs")
    with change(thread.pk) as locked:
        said = add_message(locked, role="user", content="Secret plans")
    assert client_of(stranger).get(f"{reverse('schedules:new')}?message={said.pk}").status_code == 404
