"""A thread that is made anew: each day or week of the schedule's own calendar, or after so many runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts.models import User
from threads.models import Thread
from triggers.services import run_now
from triggers.tasks import tick

from .conftest import NOON, MakeSchedule, work

pytestmark = pytest.mark.django_db


def titles() -> list[tuple[str, int]]:
    """The threads' titles in their order, with the number of their runs."""
    return [(thread.title, thread.runs.count()) for thread in Thread.objects.order_by("pk")]


def go_on(clock: time_machine.Traveller, hours: int, until: datetime) -> None:
    moment = NOON
    while moment < until:
        moment += timedelta(hours=hours)
        clock.move_to(moment)
        tick()
        work()


def test_each_day_of_the_schedules_zone_has_a_thread(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 */6 * * *", name="Look", thread_mode="rolling", roll_every="day", timezone="Asia/Tokyo")
    go_on(clock, 1, NOON + timedelta(days=1, hours=12))
    # In Tokyo the day begins at 15:00 UTC.
    assert titles() == [("Look · 28 March 2026", 4), ("Look · 29 March 2026", 2)]
    schedule.refresh_from_db()
    assert schedule.thread == Thread.objects.latest("pk")


def test_each_week_has_a_thread(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    make_schedule(name="Look", thread_mode="rolling", roll_every="week")
    go_on(clock, 24, NOON + timedelta(days=10))
    assert titles() == [("Look · week 13, 2026", 2), ("Look · week 14, 2026", 7), ("Look · week 15, 2026", 1)]


def test_after_so_many_runs_there_is_another_thread(
    make_schedule: MakeSchedule, owner: User, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule(name="Look", thread_mode="rolling", roll_every="runs", roll_runs=3)
    go_on(clock, 24, NOON + timedelta(days=7))
    assert titles() == [("Look · 1", 3), ("Look · 2", 3), ("Look · 3", 1)]
    run_now(schedule, actor=owner)
    run_now(schedule, actor=owner)
    run_now(schedule, actor=owner)
    assert titles()[2:] == [("Look · 3", 3), ("Look · 4", 1)]


def test_a_thread_that_was_deleted_is_made_again(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    make_schedule("0 * * * *", name="Look", thread_mode="rolling")
    go_on(clock, 1, NOON + timedelta(hours=2))
    Thread.objects.all().delete()
    go_on(clock, 1, NOON + timedelta(hours=3))
    assert titles() == [("Look · 27 March 2026", 1)]


def test_what_is_made_up_for_goes_to_the_thread_of_its_own_day(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    make_schedule(name="Look", thread_mode="rolling", missed_policy="all")
    clock.move_to(datetime(2026, 3, 30, 13, tzinfo=UTC))
    tick()
    assert titles() == [("Look · 28 March 2026", 1), ("Look · 29 March 2026", 1), ("Look · 30 March 2026", 1)]


def test_a_run_that_would_begin_in_the_next_thread_waits_for_no_other(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule(name="Look", thread_mode="rolling", overlap_policy="queue")
    for day in (1, 2):
        clock.move_to(NOON + timedelta(days=day))
        tick()
    newest = schedule.occurrences.first()
    assert newest is not None
    assert newest.outcome == "skipped"
    assert titles() == [("Look · 28 March 2026", 1)]
