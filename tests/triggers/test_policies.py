"""What becomes of due times that were missed, that overlap, or whose people may not any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Membership, User
from agents.models import Agent
from runs.models import Notice, Run, RunStatus
from threads.models import Thread
from threads.services import create_thread
from triggers.models import Schedule
from triggers.reckoning import MOST_MISSED
from triggers.services import delete_schedule
from triggers.tasks import tick

from .conftest import NOON, MakeSchedule, ledger

pytestmark = pytest.mark.django_db


def test_after_three_hours_off_the_newest_time_runs_and_the_others_are_missed(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *")
    clock.move_to(NOON + timedelta(hours=3, minutes=10))
    tick()
    assert ledger(schedule) == [("ran", "03-27 15:00"), ("missed", "03-27 14:00"), ("missed", "03-27 13:00")]
    newest, older = schedule.occurrences.all()[:2]
    assert newest.reason == "Zerg was off or too busy at the time, so it ran late. 2 earlier times were missed."
    assert (newest.lateness_seconds, older.lateness_seconds) == (600, 4200)
    assert older.reason == "Zerg was off or too busy at this time."
    schedule.refresh_from_db()
    assert schedule.next_run_at == NOON + timedelta(hours=4)


def test_with_the_policy_none_a_missed_time_stays_missed(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", missed_policy="none")
    clock.move_to(NOON + timedelta(hours=3, minutes=10))
    tick()
    assert ledger(schedule) == [("missed", "03-27 15:00"), ("missed", "03-27 14:00"), ("missed", "03-27 13:00")]
    assert not Run.objects.exists()


def test_a_few_seconds_late_is_not_missed(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *", missed_policy="none")
    clock.move_to(NOON + timedelta(hours=1, seconds=45))
    tick()
    occurrence = schedule.occurrences.get()
    assert (occurrence.outcome, occurrence.reason, occurrence.lateness_seconds) == ("ran", "", 45)


@pytest.mark.parametrize(("kind", "expression"), [("cron", "* * * * *"), ("interval", "60")])
def test_after_a_month_off_the_ledger_is_not_flooded(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, kind: str, expression: str
) -> None:
    schedule = make_schedule(expression, kind=kind)
    clock.move_to(NOON + timedelta(days=30, seconds=20))
    tick()
    assert schedule.occurrences.count() == MOST_MISSED + 1
    newest = schedule.occurrences.first()
    assert newest is not None
    assert (newest.outcome, newest.scheduled_for) == ("ran", NOON + timedelta(days=30))
    assert "More than 100 times were missed since 2026-03-27 12:01 UTC" in newest.reason
    schedule.refresh_from_db()
    assert schedule.next_run_at == NOON + timedelta(days=30, minutes=1)


def test_a_time_is_skipped_while_the_run_before_it_goes_on(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *")
    clock.move_to(NOON + timedelta(hours=1))
    tick()
    clock.move_to(NOON + timedelta(hours=2))
    tick()
    assert ledger(schedule) == [("skipped", "03-27 14:00"), ("ran", "03-27 13:00")]
    assert "still running" in schedule.occurrences.all()[0].reason
    Run.objects.update(status=RunStatus.FAILED)
    clock.move_to(NOON + timedelta(hours=3))
    tick()
    assert ledger(schedule)[0] == ("ran", "03-27 15:00")


def test_with_the_policy_queue_it_waits_for_the_run_before_it(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", overlap_policy="queue")
    for hour in (1, 2):
        clock.move_to(NOON + timedelta(hours=hour))
        tick()
    assert [outcome for outcome, _ in ledger(schedule)] == ["ran", "ran"]
    assert Run.objects.filter(status=RunStatus.QUEUED, position=Run.Position.BACKGROUND).count() == 1


def _switch_off_owner(schedule: Schedule) -> None:
    User.objects.filter(pk=schedule.owner_id).update(is_active=False)


def _leave_workspace(schedule: Schedule) -> None:
    Membership.objects.filter(user=schedule.owner).delete()


def _archive_agent(schedule: Schedule) -> None:
    Agent.objects.filter(pk=schedule.agent_id).update(archived_at=timezone.now())


def _delete_thread(schedule: Schedule) -> None:
    Thread.objects.all().delete()


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (_switch_off_owner, "its owner's account is switched off."),
        (_leave_workspace, "its owner is no longer a member of the workspace."),
        (_archive_agent, "its agent is archived."),
        (_delete_thread, "the thread it wrote to was deleted."),
    ],
)
def test_rights_are_those_of_the_day_it_runs(
    agent: Agent,
    owner: User,
    make_schedule: MakeSchedule,
    clock: time_machine.Traveller,
    happens: Callable[[Schedule], None],
    reason: str,
) -> None:
    schedule = make_schedule(thread_mode="bound", thread=create_thread(agent, owner=owner))
    happens(schedule)
    clock.move_to(NOON + timedelta(days=1))
    tick()
    occurrence = schedule.occurrences.get()
    assert (occurrence.outcome, occurrence.reason, occurrence.run) == ("skipped", f"Refused: {reason}", None)
    schedule.refresh_from_db()
    assert not schedule.enabled
    assert schedule.disabled_reason.lower() == reason.lower()
    notice = Notice.objects.get(done_at=None)
    assert (notice.owner, notice.strength, notice.schedule_id) == (owner, "needs_you", schedule.pk)
    assert reason in notice.text.lower()
    agent.refresh_from_db()
    assert agent.next_run_at is None
    assert not Run.objects.exists()
    delete_schedule(schedule)
    assert not Notice.objects.filter(done_at=None).exists()
