"""What comes due while a schedule is off is in the ledger once it is on again; one that has done enough ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from accounts.models import User
from runs.models import Notice, Run
from triggers.models import Schedule
from triggers.reckoning import MOST_MISSED
from triggers.services import create_schedule, pause, resume, run_now, update_schedule
from triggers.tasks import tick

from .conftest import NOON, MakeSchedule, ledger, work

pytestmark = pytest.mark.django_db


def at(hours: float) -> object:
    return NOON + timedelta(hours=hours)


def test_what_passed_while_it_was_paused_is_skipped(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *")
    pause(schedule)
    clock.move_to(NOON + timedelta(hours=2, minutes=30))
    tick()
    assert ledger(schedule) == []
    resume(schedule)
    assert ledger(schedule) == [("skipped", "03-27 14:00"), ("skipped", "03-27 13:00")]
    assert set(schedule.occurrences.values_list("reason", flat=True)) == {"It was paused."}
    clock.move_to(NOON + timedelta(hours=3))
    tick()
    assert ledger(schedule)[0] == ("ran", "03-27 15:00")
    pause(schedule)
    resume(schedule)
    assert len(ledger(schedule)) == 3


def test_a_long_pause_does_not_flood_the_ledger(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("* * * * *")
    pause(schedule)
    clock.move_to(NOON + timedelta(days=30))
    resume(schedule)
    assert schedule.occurrences.count() == MOST_MISSED + 1
    newest = schedule.occurrences.first()
    assert newest is not None
    assert newest.scheduled_for == NOON + timedelta(days=30)
    assert newest.reason == ("It was paused. So were more times since 2026-03-27 12:01 UTC; the first 100 are listed.")


def test_an_interval_keeps_its_rhythm_while_it_is_paused(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("7200", kind="interval")
    clock.move_to(NOON + timedelta(hours=1))
    pause(schedule)
    clock.move_to(NOON + timedelta(hours=5))
    resume(schedule)
    assert ledger(schedule) == [("skipped", "03-27 16:00"), ("skipped", "03-27 14:00")]
    schedule.refresh_from_db()
    assert schedule.next_run_at == at(7)


def test_times_of_another_timing_are_those_it_had_then(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *")
    pause(schedule)
    clock.move_to(NOON + timedelta(hours=1, minutes=10))
    update_schedule(schedule, expression="30 * * * *")
    clock.move_to(NOON + timedelta(hours=2, minutes=40))
    resume(schedule)
    assert ledger(schedule) == [("skipped", "03-27 14:30"), ("skipped", "03-27 13:30"), ("skipped", "03-27 13:00")]


def test_a_due_time_that_the_clock_has_not_come_to_is_not_lost_by_a_change(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *")
    clock.move_to(NOON + timedelta(hours=1, minutes=1))
    update_schedule(schedule, expression="30 * * * *")
    tick()
    row = schedule.occurrences.get()
    assert (row.outcome, row.reason) == ("skipped", "The schedule was changed before this time was dealt with.")


def test_after_so_many_runs_it_ends_and_nobody_is_bothered(
    make_schedule: MakeSchedule, owner: User, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", most_runs=2)
    run_now(schedule, actor=owner)  # counts for nothing
    work()
    for hour in (1, 2, 3):
        clock.move_to(NOON + timedelta(hours=hour))
        tick()
        work()
    assert ledger(schedule) == [("ran", "03-27 14:00"), ("ran", "03-27 13:00")]
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.runs_made) == (False, 2)
    assert schedule.disabled_reason == "It has run 2 times, as asked."
    assert not Notice.objects.exclude(strength=Notice.Strength.FINISHED).exists()
    resume(schedule)
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.runs_made) == (True, 0)
    assert len(ledger(schedule)) == 2  # nothing was to come meanwhile


def test_skipped_times_are_no_runs(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *", most_runs=2)
    for hour in (1, 2, 3):
        clock.move_to(NOON + timedelta(hours=hour))
        tick()
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.runs_made) == (True, 1)


def test_what_is_made_up_for_ends_at_the_number_too(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *", most_runs=2, missed_policy="all")
    clock.move_to(NOON + timedelta(hours=5))
    tick()
    assert ledger(schedule) == [("ran", "03-27 14:00"), ("ran", "03-27 13:00")]
    assert Run.objects.count() == 2
    schedule.refresh_from_db()
    assert not schedule.enabled


def test_another_number_counts_anew(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *", most_runs=5)
    clock.move_to(NOON + timedelta(hours=1))
    tick()
    update_schedule(schedule, most_runs=2, name="Other")
    assert Schedule.objects.get().runs_made == 0


def test_one_that_is_made_switched_off_owes_nothing(
    make_schedule: MakeSchedule, owner: User, clock: time_machine.Traveller
) -> None:
    schedule = create_schedule(make_schedule().agent, owner=owner, expression="0 * * * *", enabled=False)
    clock.move_to(NOON + timedelta(hours=5))
    resume(schedule)
    assert ledger(schedule) == []
