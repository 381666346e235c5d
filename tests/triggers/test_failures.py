"""Failures in a row put a schedule's next times off, then switch it off; a success clears them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from accounts.models import User
from runs.endings import Ending
from runs.models import Notice, Run
from runs.services import retry
from triggers.models import RunEnd, Schedule
from triggers.outcomes import back_off, settle
from triggers.services import pause, resume, run_now
from triggers.tasks import tick

from .conftest import DONE, FAILED, NOON, STOPPED, MakeSchedule, ledger, work

pytestmark = pytest.mark.django_db


def state(schedule: Schedule) -> tuple[int, bool]:
    schedule.refresh_from_db()
    return schedule.failures_in_row, schedule.back_off_until is not None


def each_hour(clock: time_machine.Traveller, first: int, *endings: Ending) -> None:
    """Hour after hour a run ends so."""
    for hour, ending in enumerate(endings, first):
        clock.move_to(NOON + timedelta(hours=hour))
        tick()
        work(ending)
        tick()


def test_due_times_are_skipped_while_it_backs_off(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("* * * * *", timezone="Europe/Berlin", failure_limit=0)
    for minute in range(1, 8):
        clock.move_to(NOON + timedelta(minutes=minute))
        tick()
        work(FAILED)
        tick()
    outcomes = [outcome for outcome, _ in ledger(schedule)][::-1]
    # It failed at 12:01 (wait 1 minute), at 12:02 (2 minutes), at 12:04 (4 minutes).
    assert outcomes == ["ran", "ran", "skipped", "ran", "skipped", "skipped", "skipped"]
    reasons = list(schedule.occurrences.filter(outcome="skipped").order_by("pk").values_list("reason", flat=True))
    assert reasons[0] == "Backing off after 2 failures in a row, until 13:04."
    assert set(reasons[1:]) == {"Backing off after 3 failures in a row, until 13:08."}
    clock.move_to(NOON + timedelta(minutes=8))
    tick()
    work(DONE)
    tick()
    assert state(schedule) == (0, False)
    assert not RunEnd.objects.exists()


@pytest.mark.parametrize(("failures", "minutes"), [(1, 1), (2, 2), (5, 16), (11, 1024), (12, 1440), (5000, 1440)])
def test_the_pause_doubles_up_to_a_day(failures: int, minutes: int) -> None:
    assert back_off(failures) == timedelta(minutes=minutes)


def test_at_its_limit_it_is_switched_off_and_the_owner_is_told(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", name="Look", failure_limit=3)
    each_hour(clock, 1, FAILED, FAILED)
    assert (*state(schedule), schedule.enabled) == (2, True, True)
    each_hour(clock, 3, FAILED)
    assert (*state(schedule), schedule.enabled, schedule.next_run_at) == (3, True, False, None)
    reason = "It failed 3 times in a row. The last error: It took too long."
    assert schedule.disabled_reason == reason
    notice = Notice.objects.get(schedule_id=schedule.pk, done_at=None)
    assert (notice.owner, notice.strength) == (schedule.owner, "needs_you")
    assert notice.text == f"“Look” is switched off: {reason}"
    schedule.agent.refresh_from_db()
    assert schedule.agent.next_run_at is None
    each_hour(clock, 4, DONE, DONE)
    assert len(ledger(schedule)) == 3
    resume(schedule)
    assert (*state(schedule), schedule.enabled, schedule.disabled_reason) == (0, False, True, "")
    assert ledger(schedule)[:2] == [("skipped", "03-27 17:00"), ("skipped", "03-27 16:00")]
    newest = schedule.occurrences.first()
    assert newest is not None
    assert newest.reason == f"It was switched off: {reason}"


def test_a_success_between_them_clears_the_row(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *", failure_limit=3)
    each_hour(clock, 1, FAILED, FAILED, DONE, FAILED, FAILED)
    assert (*state(schedule), schedule.enabled) == (2, True, True)


def test_a_run_that_was_stopped_counts_neither_way(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *", failure_limit=3)
    each_hour(clock, 1, FAILED, STOPPED, STOPPED)
    assert (*state(schedule), schedule.enabled) == (1, True, True)


def test_what_a_person_starts_can_mend_but_not_harm(
    make_schedule: MakeSchedule, owner: User, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", failure_limit=2)
    each_hour(clock, 1, FAILED)
    run_now(schedule, actor=owner)
    work(FAILED)
    tick()
    failed = Run.objects.get(trigger="schedule")
    retry(failed, actor=owner)
    work(FAILED)
    tick()
    assert (*state(schedule), schedule.enabled) == (1, True, True)
    run_now(schedule, actor=owner)
    work(DONE)
    tick()
    assert state(schedule) == (0, False)


def test_with_the_limit_zero_it_goes_on_for_ever(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *", failure_limit=0)
    each_hour(clock, 1, *[FAILED] * 6)
    assert (*state(schedule), schedule.enabled) == (6, True, True)


def test_a_paused_schedule_counts_and_nobody_is_told_that_it_is_off(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", failure_limit=1)
    clock.move_to(NOON + timedelta(hours=1))
    tick()
    pause(schedule)
    work(FAILED)
    tick()
    assert (*state(schedule), schedule.disabled_reason) == (1, True, "")
    assert not Notice.objects.filter(schedule_id=schedule.pk).exists()


def test_an_end_counts_once_however_often_it_is_asked(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *")
    clock.move_to(NOON + timedelta(hours=1))
    tick()
    work(FAILED)
    for _ in range(3):
        settle([schedule.pk])
    assert state(schedule) == (1, True)
    work(FAILED)
    Schedule.objects.all().delete()
    tick()
    assert not RunEnd.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_where_nothing_died_it_is_counted_at_once(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *")
    clock.move_to(NOON + timedelta(hours=1))
    tick()
    work(FAILED)
    assert state(schedule) == (1, True)
