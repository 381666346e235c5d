"""What the clock and the workers would do in a time that no test waits for: called by ``stack.manage("shell", …)``.

All of it is one transaction of one process, so that the beat and the worker of the stack see only what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import time_machine
from django.db import transaction

from runs import states
from runs.endings import Ending
from runs.models import Run, RunStatus
from runs.records import end
from triggers.firing import fire_due
from triggers.models import Schedule
from triggers.outcomes import settle_all

EVERY = timedelta(hours=3)
OUTAGE, OVERLAP, FAILURE = 20, 30, 40
"""Which due times of the week, counted from 0: Zerg is off at two from OUTAGE on; the run of OVERLAP is still going at
the next; that of FAILURE fails."""
DONE = Ending(RunStatus.SUCCEEDED, Run.Reason.COMPLETED)
FAILED = Ending(RunStatus.FAILED, Run.Reason.PROVIDER_ERROR, "timeout_total", "It took too long.")


def call(name: str, *arguments: object) -> tuple[str, ...]:
    """The words for ``stack.manage`` that call a function of this module."""
    said = ", ".join(repr(argument) for argument in arguments)
    return (
        "shell",
        "--no-imports",
        "-v",
        "0",
        "-c",
        f"from tests.browser import simulating; simulating.{name}({said})",
    )


@contextmanager
def _only(schedule_id: int) -> Iterator[time_machine.Traveller]:
    """A clock to set, at which nothing but this schedule comes due."""
    with transaction.atomic():
        others = Schedule.objects.filter(enabled=True).exclude(pk=schedule_id)
        off = list(others.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        Schedule.objects.filter(pk__in=off).update(enabled=False)
        with time_machine.travel(datetime.now().astimezone(), tick=False) as clock:
            yield clock
        Schedule.objects.filter(pk__in=off).update(enabled=True)


def _tick(clock: time_machine.Traveller, moment: datetime) -> None:
    clock.move_to(moment)
    settle_all()
    fire_due()


def _take_up(schedule_id: int) -> Run | None:
    """As a worker does."""
    waiting = Run.objects.filter(schedule_id=schedule_id, status=RunStatus.QUEUED).order_by("pk").first()
    return states.claim_next(waiting.thread_id, owner="simulated") if waiting else None


def come_due(schedule_ids: list[int], times: int) -> None:
    """The next so many due times of each schedule come, a second before the clock looks, and their runs end well."""
    for schedule_id in schedule_ids:
        with _only(schedule_id) as clock:
            for _ in range(times):
                due = Schedule.objects.get(pk=schedule_id).next_run_at
                assert due is not None
                _tick(clock, due + timedelta(seconds=1))
                run = _take_up(schedule_id)
                assert run is not None
                end(run, DONE)


def week(schedule_id: int, begin: str, times: int) -> None:
    """A schedule was due at ``begin`` (ISO) and every three hours since, ``times`` times. The next is the stack's."""
    first = datetime.fromisoformat(begin)
    with _only(schedule_id) as clock:
        Schedule.objects.filter(pk=schedule_id).update(next_run_at=first)
        going: Run | None = None
        for number in range(times):
            due = first + number * EVERY
            if number in (OUTAGE, OUTAGE + 1):
                continue
            if number == OUTAGE + 2:  # it is back, six hours after it went
                _tick(clock, due - timedelta(minutes=1))
                run = _take_up(schedule_id)
                assert run is not None
                end(run, DONE)
            _tick(clock, due + timedelta(seconds=1))
            if going is not None:
                end(going, DONE)
                going = None
                continue
            run = _take_up(schedule_id)
            assert run is not None
            if number == OVERLAP:
                going = run
            else:
                end(run, FAILED if number == FAILURE else DONE)


def come_due_now(schedule_id: int) -> None:
    """The due time of a schedule is now: the beat of the stack finds it."""
    Schedule.objects.filter(pk=schedule_id).update(next_run_at=datetime.now().astimezone())
