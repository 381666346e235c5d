"""What becomes of a due time: it runs once, or the ledger says why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from runs.models import Run, RunStatus
from threads.models import Thread
from threads.services import create_thread
from triggers.firing import fire, fire_due
from triggers.models import Occurrence, Schedule
from triggers.services import create_schedule, preview, run_now
from triggers.tasks import tick

from .conftest import NOON, MakeSchedule, ledger

pytestmark = pytest.mark.django_db


def test_a_due_schedule_writes_into_a_thread_of_its_own(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule(name="Morning look", prompt="What is new?")
    clock.move_to(NOON + timedelta(days=1, seconds=1))
    tick()
    occurrence = schedule.occurrences.get()
    run = occurrence.run
    assert run is not None
    assert run.input_message is not None
    assert (occurrence.outcome, occurrence.reason, occurrence.lateness_seconds) == ("ran", "", 1.0)
    assert (run.trigger, run.status, run.actor) == ("schedule", "queued", schedule.owner)
    assert (run.input_message.content, run.input_message.source) == ("What is new?", "schedule")
    assert (run.thread.title, run.thread.thread_type, run.thread.owner) == ("Morning look", "schedule", schedule.owner)
    schedule.refresh_from_db()
    assert schedule.next_run_at == NOON + timedelta(days=2)
    assert schedule.thread == run.thread
    schedule.agent.refresh_from_db()
    assert schedule.agent.next_run_at == NOON + timedelta(days=2)


def test_without_a_prompt_the_agent_does_its_task(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule()
    clock.move_to(NOON + timedelta(days=1))
    tick()
    run = Run.objects.select_related("input_message").get(occurrences__schedule=schedule)
    assert run.input_message is not None
    assert run.input_message.content == "Look around and report."


def test_with_nothing_to_say_it_is_skipped_and_says_so(
    owner: User, make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    mute = create_agent(workspace=owner.give_workspace(), author=owner, name="Mute")
    schedule = make_schedule(agent=mute)
    clock.move_to(NOON + timedelta(days=1))
    tick()
    occurrence = schedule.occurrences.get()
    assert (occurrence.outcome, occurrence.run) == ("skipped", None)
    assert "no task instructions" in occurrence.reason
    assert not Thread.objects.exists()
    schedule.refresh_from_db()
    assert schedule.enabled


def test_the_second_run_goes_to_the_same_thread_and_waits_behind_nothing(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule()
    for day in (1, 2):
        clock.move_to(NOON + timedelta(days=day))
        tick()
        Run.objects.update(status=RunStatus.SUCCEEDED)
    assert Thread.objects.count() == 1
    assert ledger(schedule) == [("ran", "03-29 12:00"), ("ran", "03-28 12:00")]


def test_a_new_thread_each_time_when_asked_for(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule(thread_mode="new")
    for day in (1, 2):
        clock.move_to(NOON + timedelta(days=day))
        tick()
        Run.objects.update(status=RunStatus.SUCCEEDED)
    assert Thread.objects.count() == 2
    schedule.refresh_from_db()
    assert schedule.thread is None


def test_a_bound_schedule_writes_into_the_thread_it_was_given(
    agent: Agent, owner: User, make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    thread = create_thread(agent, owner=owner, title="Ours")
    schedule = make_schedule(thread_mode="bound", thread=thread)
    clock.move_to(NOON + timedelta(days=1))
    tick()
    assert schedule.occurrences.get().run in thread.runs.all()


def test_what_fires_is_what_was_previewed(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    promised = preview("cron", "30 2,14 * * *", "Europe/Berlin")["next"]
    schedule = make_schedule("30 2,14 * * *", timezone="Europe/Berlin", overlap_policy="queue")
    while schedule.occurrences.count() < 5:
        clock.shift(timedelta(minutes=10))
        tick()
    fired = schedule.occurrences.order_by("scheduled_for").values_list("scheduled_for", flat=True)
    assert [f"{due:%Y-%m-%dT%H:%M:%SZ}" for due in fired] == promised
    assert promised[1] == "2026-03-28T01:30:00Z"
    assert promised[3] == "2026-03-29T01:00:00Z"  # 02:30 does not come that night: 03:00 in summer time


def test_a_single_time_runs_once_and_says_that_it_is_over(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("2026-03-27T14:00", kind="once", timezone="Europe/Berlin")
    assert schedule.next_run_at == NOON + timedelta(hours=1)
    clock.move_to(NOON + timedelta(hours=1))
    tick()
    tick()
    assert ledger(schedule) == [("ran", "03-27 13:00")]
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.disabled_reason) == (False, "It was for one time only.")


def test_run_now_leaves_the_due_times_alone(
    make_schedule: MakeSchedule, owner: User, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule(prompt="Now!")
    runs = [run_now(schedule, actor=owner) for _ in range(3)]
    assert {run.trigger for run in runs} == {"manual"}
    assert len({run.pk for run in runs}) == 3
    assert len({run.thread_id for run in runs}) == 1
    schedule.refresh_from_db()
    assert schedule.next_run_at == NOON + timedelta(days=1)
    assert not schedule.occurrences.exists()


def test_one_bad_schedule_does_not_stop_the_others(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    bad, good = make_schedule(), make_schedule(name="Good")
    Schedule.objects.filter(pk=bad.pk).update(expression="not cron")
    clock.move_to(NOON + timedelta(days=1))
    tick()
    assert ledger(good) == [("ran", "03-28 12:00")]
    occurrence = bad.occurrences.get()
    assert occurrence.outcome == "skipped"
    assert occurrence.reason.startswith("Error: This has 2 fields.")
    bad.refresh_from_db()
    assert not bad.enabled
    assert "five fields" in bad.disabled_reason


def test_a_due_time_that_was_dealt_with_is_never_run_again(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule()
    due = schedule.next_run_at
    assert due is not None
    clock.move_to(due)
    assert fire(schedule, due) is not None
    assert fire(schedule, due) is None
    # The clock was set back, or the row was restored: the ledger knows better.
    Run.objects.update(status=RunStatus.SUCCEEDED)
    Schedule.objects.filter(pk=schedule.pk).update(next_run_at=due)
    tick()
    assert ledger(schedule) == [("ran", "03-28 12:00")]
    assert Run.objects.count() == 1
    schedule.refresh_from_db()
    assert schedule.next_run_at == due + timedelta(days=1)


def test_a_schedule_that_was_changed_meanwhile_is_left_to_the_next_tick(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule()
    due = schedule.next_run_at
    assert due is not None
    Schedule.objects.filter(pk=schedule.pk).update(expression="0 12 * * 1")
    clock.move_to(due)
    assert fire(schedule, due) is None
    assert not schedule.occurrences.exists()


def test_nobody_waits_behind_somebody_elses_thousand_schedules(
    make_schedule: MakeSchedule, stranger: User, clock: time_machine.Traveller
) -> None:
    many = [make_schedule(name=f"Number {number}") for number in range(30)]
    theirs = create_agent(
        workspace=stranger.give_workspace(), author=stranger, name="Theirs", task_instructions="Work."
    )
    one = create_schedule(theirs, owner=stranger, expression="0 12 * * *")
    clock.move_to(NOON + timedelta(days=1))
    tick()
    order = list(Occurrence.objects.order_by("id").values_list("schedule", flat=True))
    assert len(order) == len(many) + 1
    assert order.index(one.pk) <= 1


def test_a_tick_with_nothing_due_asks_the_database_once(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_schedule()
    with django_assert_num_queries(1):
        fire_due()


def test_a_due_time_costs_few_queries(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    schedule = make_schedule()
    due = schedule.next_run_at
    assert due is not None
    clock.move_to(due)
    fire(schedule, due)
    Run.objects.update(status=RunStatus.SUCCEEDED)
    schedule.refresh_from_db()
    clock.move_to(datetime(2026, 3, 29, 12, tzinfo=UTC))
    with django_assert_max_num_queries(24):
        fire(schedule, due + timedelta(days=1))
