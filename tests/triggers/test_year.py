"""A year of many schedules in many zones, with outages, overlaps, pauses and failures: each due time has one row."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db.models import F

from runs import states
from runs.models import Run, RunStatus
from runs.records import end
from triggers.invariants import breaks
from triggers.models import Occurrence, RunEnd, Schedule
from triggers.reckoning import next_time
from triggers.services import pause, preview, resume
from triggers.tasks import tick

from .conftest import DONE, FAILED, MakeSchedule

pytestmark = pytest.mark.django_db
BEGIN = datetime(2027, 7, 1, 0, 30, tzinfo=UTC)
END = datetime(2028, 7, 1, 0, 30, tzinfo=UTC)
"""A leap year's 29 February is within, and both clock changes of either half of the world."""

SCHEDULES: list[tuple[str, str, dict[str, Any]]] = [
    ("30 2 * * 0,3", "Europe/Berlin", {}),
    ("30 1 * * 0", "Europe/London", {"overlap_policy": "queue"}),
    ("0 2 * * 0", "America/New_York", {"missed_policy": "all"}),
    ("15 0 29 2 *", "America/Sao_Paulo", {}),
    ("45 23 L * *", "Asia/Kolkata", {}),
    ("0 3 1-10 * *", "Asia/Tokyo", {"thread_mode": "rolling", "roll_every": "week", "failure_limit": 0}),
    ("0 12 * * 1#1", "Australia/Sydney", {"missed_policy": "none"}),
    ("30 2 * * 0", "Australia/Lord_Howe", {"thread_mode": "rolling", "roll_every": "runs", "roll_runs": 5}),
    ("0 6 1,15 * *", "Pacific/Chatham", {"thread_mode": "new", "overlap_policy": "together"}),
    ("0 0 * * 6", "Africa/Casablanca", {"missed_policy": "all", "missed_limit": 1}),
    ("0 4 * * 2", "America/St_Johns", {"failure_limit": 2}),
    ("59 23 31 12 *", "Pacific/Kiritimati", {}),
]


def outages(chance: random.Random) -> list[tuple[datetime, datetime]]:
    """Ten times in the year, from an hour to two weeks."""
    starts = sorted(BEGIN + timedelta(hours=chance.randrange(24 * 340)) for _ in range(10))
    return [(start, start + timedelta(hours=chance.choice([1, 4, 30, 24 * 14]))) for start in starts]


def moments(schedules: list[Schedule], off: list[tuple[datetime, datetime]]) -> Iterator[datetime]:
    """When the clock ticks: just after each due time, and where that is in an outage, at its end."""
    while True:
        due = (
            Schedule.objects.filter(enabled=True).order_by("next_run_at").values_list("next_run_at", flat=True).first()
        )
        if due is None or due >= END:
            return
        moment = due + timedelta(seconds=1)
        for start, stop in off:
            if start <= moment < stop:
                moment = stop
        yield moment


def work_a_little(chance: random.Random) -> None:
    """Of the runs that wait or go on, most come to an end, good or bad (in Tokyo: bad); some last until after the next
    due time."""
    doomed = Schedule.objects.get(timezone="Asia/Tokyo").pk
    for run in Run.objects.filter(status__in=[RunStatus.QUEUED, RunStatus.RUNNING]).order_by("pk"):
        if chance.random() < 0.15:
            continue
        held: Run | None = run
        if run.status == RunStatus.QUEUED:
            held = states.claim_next(run.thread_id, owner="worker")
        if held is not None and chance.random() < 0.9:
            ending = FAILED if run.schedule_id == doomed else chance.choice([DONE, DONE, DONE, FAILED])
            end(Run.objects.select_related("thread__agent").get(pk=held.pk), ending)


def switch_a_little(schedules: list[Schedule], chance: random.Random) -> None:
    """Now and then somebody pauses a schedule, or goes on with one that is off."""
    schedule = Schedule.objects.get(pk=chance.choice(schedules).pk)
    if not schedule.enabled:
        resume(schedule)
    elif chance.random() < 0.05:
        pause(schedule)


def test_every_due_time_of_a_year_has_exactly_one_row(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    chance = random.Random(20270701)
    clock.move_to(BEGIN)
    schedules = [make_schedule(cron, timezone=zone, name=zone, **more) for cron, zone, more in SCHEDULES]
    promised = {schedule.pk: preview("cron", schedule.expression, schedule.timezone)["next"] for schedule in schedules}
    for moment in moments(schedules, outages(chance)):
        clock.move_to(moment)
        tick()
        work_a_little(chance)
        switch_a_little(schedules, chance)
    clock.move_to(END)
    for schedule in Schedule.objects.filter(enabled=False):
        resume(schedule)  # so that its ledger is complete
    tick()

    rows: dict[int, list[datetime]] = defaultdict(list)
    for schedule_id, due in Occurrence.objects.order_by("scheduled_for").values_list("schedule", "scheduled_for"):
        rows[schedule_id].append(due)
    for schedule in schedules:
        assert rows[schedule.pk] == list(_due_times(schedule)), schedule.name
        first = [f"{due:%Y-%m-%dT%H:%M:%SZ}" for due in rows[schedule.pk][:5]]
        assert first == promised[schedule.pk][: len(first)], schedule.name

    _runs_are_those_of_the_ledger()
    outcomes = set(Occurrence.objects.values_list("outcome", flat=True))
    assert outcomes == {"ran", "skipped", "missed"}
    for reason in (
        "It was paused.",
        "switched off: It failed",
        "still running",
        "Backing off",
        "ran late",
        "off or too busy",
    ):
        assert Occurrence.objects.filter(reason__contains=reason).exists(), reason
    assert not RunEnd.objects.exists()
    assert list(breaks()) == []


def _due_times(schedule: Schedule) -> Iterator[datetime]:
    """All that are promised for the year."""
    due = next_time(schedule, BEGIN)
    while due is not None and due <= END:
        yield due
        due = next_time(schedule, due)


def _runs_are_those_of_the_ledger() -> None:
    """Each run is that of one row that says so, and bears its time."""
    ran = Occurrence.objects.filter(outcome="ran").select_related("run")
    assert ran.count() == Run.objects.count() > 300
    assert not Occurrence.objects.exclude(outcome="ran").exclude(run=None).exists()
    assert not ran.exclude(run__schedule_id=F("schedule")).exists()
    for row in ran:
        assert row.run is not None
        assert row.run.key == f"schedule:{row.schedule_id}:{row.scheduled_for.isoformat()}"
        assert row.run.queued_at == row.fired_at >= row.scheduled_for
