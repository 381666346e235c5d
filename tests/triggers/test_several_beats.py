"""Several beats at once, and people who change what is just being fired."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.db.models import F

from accounts.models import User
from agents.models import Agent
from runs.models import Run
from threads.models import ThreadMessage
from triggers.firing import fire, fire_due
from triggers.models import Occurrence, Schedule
from triggers.services import set_default_schedule, update_schedule

from .conftest import NOON, MakeSchedule

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_of_production")]
BEATS = 4


def at_once(*works: Callable[[], object]) -> None:
    """Runs each work in a thread of its own, all beginning together; raises what one of them raised."""
    start, failures = threading.Barrier(len(works)), []

    def run(work: Callable[[], object]) -> None:
        try:
            start.wait()
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_several_beats_at_once_make_one_run_of_each_due_time(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    for number in range(12):
        make_schedule("0 * * * *", name=f"Number {number}", overlap_policy="queue")
    for hour in (1, 2):
        clock.move_to(NOON + timedelta(hours=hour))
        at_once(*[fire_due] * BEATS)
    assert Occurrence.objects.filter(outcome="ran").count() == 24
    assert Run.objects.count() == 24
    assert ThreadMessage.objects.count() == 24
    assert not Schedule.objects.exclude(next_run_at=NOON + timedelta(hours=3)).exists()


def test_one_due_time_that_all_beats_reach_for_is_fired_by_one(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *")
    due = schedule.next_run_at
    assert due is not None
    clock.move_to(due)
    fired: list[Occurrence | None] = []
    at_once(*[lambda: fired.append(fire(schedule, due))] * BEATS)
    assert len([one for one in fired if one]) == 1
    assert Run.objects.count() == 1


def test_a_schedule_that_is_changed_while_it_fires_ends_as_the_person_said(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, agent: Agent
) -> None:
    schedules = [make_schedule("0 * * * *", name=f"Number {number}") for number in range(10)]
    clock.move_to(NOON + timedelta(hours=1))
    at_once(
        fire_due,
        fire_due,
        lambda: [update_schedule(schedule, expression="30 18 * * *") for schedule in reversed(schedules)],
    )
    fire_due()
    assert set(Schedule.objects.values_list("next_run_at", flat=True)) == {NOON + timedelta(hours=6, minutes=30)}
    assert not Occurrence.objects.exclude(scheduled_for=NOON + timedelta(hours=1)).exists()
    assert Occurrence.objects.count() == 10
    skipped = Occurrence.objects.exclude(outcome="ran")
    assert {row.reason for row in skipped} <= {"The schedule was changed before this time was dealt with."}
    assert Run.objects.count() == 10 - skipped.count()
    agent.refresh_from_db()
    assert agent.next_run_at == NOON + timedelta(hours=6, minutes=30)


def test_saving_the_same_default_schedule_at_once_makes_one(
    agent: Agent, owner: User, clock: time_machine.Traveller
) -> None:
    at_once(*[lambda: set_default_schedule(agent, owner, "0 7 * * *", "UTC")] * BEATS)
    assert Schedule.objects.filter(agent=agent, is_default=True).count() == 1
    assert Schedule.objects.count() == 1
    assert Agent.objects.filter(schedule="0 7 * * *", next_run_at=F("schedules__next_run_at")).exists()
