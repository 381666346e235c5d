"""Many due times at once: they are dealt with in batches, and each as if it were alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from agents.models import Agent
from runs.models import Run
from threads.models import ThreadMessage
from threads.services import create_thread
from triggers.firing import BATCH, fire_due
from triggers.invariants import breaks
from triggers.models import Occurrence, Schedule

from .conftest import NOON, MakeSchedule, ledger

pytestmark = pytest.mark.django_db
TOMORROW = NOON + timedelta(days=1)


def test_two_that_write_to_one_thread_take_turns_there(
    make_schedule: MakeSchedule, agent: Agent, owner: User, clock: time_machine.Traveller
) -> None:
    thread = create_thread(agent, owner=owner)
    for words in ("One.", "Two.", "Three."):
        make_schedule(thread_mode="bound", thread=thread, prompt=words)
    clock.move_to(TOMORROW)
    fire_due()
    rows = ThreadMessage.objects.filter(thread=thread).order_by("id").values_list("content", "seq", "status")
    assert list(rows) == [("One.", 1, "complete"), ("Two.", None, "queued"), ("Three.", None, "queued")]
    positions = Run.objects.filter(thread=thread).order_by("id").values_list("position", flat=True)
    assert list(positions) == [Run.Position.HEAD, Run.Position.BACKGROUND, Run.Position.BACKGROUND]
    assert list(breaks()) == []


def test_bad_ones_are_found_among_the_good(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedules = [make_schedule(name=f"Number {number}") for number in range(20)]
    bad = schedules[3], schedules[17]
    Schedule.objects.filter(pk__in=[schedule.pk for schedule in bad]).update(expression="not cron")
    clock.move_to(TOMORROW)
    fire_due()
    for schedule in schedules:
        assert ledger(schedule) == [("skipped" if schedule in bad else "ran", "03-28 12:00")]
    assert Run.objects.count() == 18
    assert list(breaks()) == []


def test_a_batch_asks_as_often_as_one_alone(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(BATCH):
        make_schedule(name=f"Number {number}")
    clock.move_to(TOMORROW)
    with django_assert_max_num_queries(30):
        fire_due()
    assert Occurrence.objects.filter(outcome="ran").count() == BATCH
