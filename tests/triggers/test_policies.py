"""What becomes of due times that were missed, that overlap, or whose people may not any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Membership, User
from agents.models import Agent
from common.errors import ZergError
from runs import states
from runs.models import Notice, Run, RunStatus
from runs.records import end
from threads.models import Thread
from threads.services import create_thread
from triggers.invariants import breaks
from triggers.models import Schedule
from triggers.reckoning import MOST_MISSED
from triggers.services import delete_schedule
from triggers.tasks import tick

from .conftest import DONE, NOON, MakeSchedule, ledger, work

pytestmark = pytest.mark.django_db


MISSED = "Zerg was off or too busy at this time."
LATE = "Zerg was off or too busy at the time, so it ran late."


@pytest.mark.parametrize(
    ("policy", "rows"),
    [
        (
            "latest",
            [
                ("15:00", "ran", f"{LATE} 2 earlier times were missed."),
                ("14:00", "missed", MISSED),
                ("13:00", "missed", MISSED),
            ],
        ),
        ("all", [("15:00", "ran", LATE), ("14:00", "ran", LATE), ("13:00", "ran", LATE)]),
        (
            "none",
            [
                ("15:00", "missed", f"{MISSED} 2 earlier times were missed."),
                ("14:00", "missed", MISSED),
                ("13:00", "missed", MISSED),
            ],
        ),
    ],
)
def test_after_three_hours_off_the_ledger_says_what_the_policy_promises(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, policy: str, rows: list[tuple[str, str, str]]
) -> None:
    schedule = make_schedule("0 * * * *", missed_policy=policy)
    clock.move_to(NOON + timedelta(hours=3, minutes=10))
    tick()
    tick()
    found = schedule.occurrences.all()
    assert [(f"{row.scheduled_for:%H:%M}", row.outcome, row.reason) for row in found] == rows
    assert [row.lateness_seconds for row in found] == [600, 4200, 7800]
    runs = {row.run_id for row in found if row.outcome == "ran"}
    assert runs == set(Run.objects.values_list("pk", flat=True))
    schedule.refresh_from_db()
    assert schedule.next_run_at == NOON + timedelta(hours=4)
    assert list(breaks()) == []


def test_what_is_made_up_for_runs_in_order_each_for_its_own_time(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", missed_policy="all")
    clock.move_to(NOON + timedelta(hours=3, minutes=10))
    tick()
    worked = work()
    assert [run.key for run in worked] == [
        f"schedule:{schedule.pk}:2026-03-27T{hour}:00:00+00:00" for hour in (13, 14, 15)
    ]
    assert len({run.thread_id for run in worked}) == 1


def test_only_so_many_are_made_up_for(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedule = make_schedule("0 * * * *", missed_policy="all", missed_limit=2)
    clock.move_to(NOON + timedelta(hours=4, minutes=10))
    tick()
    assert ledger(schedule) == [
        ("ran", "03-27 16:00"), ("ran", "03-27 15:00"), ("missed", "03-27 14:00"), ("missed", "03-27 13:00"),
    ]  # fmt: skip
    oldest = schedule.occurrences.last()
    assert oldest is not None
    assert oldest.reason == "More than 2 times were missed, and only the newest 2 are made up for."


@pytest.mark.parametrize(("kind", "expression"), [("cron", "* * * * *"), ("interval", "60"), ("cron", "7 3 * * *")])
def test_after_a_year_off_the_newest_are_made_up_for(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, kind: str, expression: str
) -> None:
    schedule = make_schedule(expression, kind=kind, missed_policy="all", missed_limit=3)
    every = timedelta(minutes=1) if "60" in expression or expression.startswith("*") else timedelta(days=1)
    clock.move_to(NOON + timedelta(days=365, minutes=5, seconds=20))
    tick()
    assert schedule.occurrences.count() == MOST_MISSED + 3
    ran = list(schedule.occurrences.filter(outcome="ran").values_list("scheduled_for", flat=True))
    assert [newer - older for newer, older in pairwise(ran)] == [every, every]
    assert timezone.now() - ran[0] < every
    assert list(breaks()) == []


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
    assert "still waiting for its turn" in schedule.occurrences.all()[0].reason
    Run.objects.update(status=RunStatus.FAILED)
    clock.move_to(NOON + timedelta(hours=3))
    tick()
    assert ledger(schedule)[0] == ("ran", "03-27 15:00")


def test_with_the_policy_queue_one_waits_and_the_next_is_skipped(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", overlap_policy="queue")
    for hour in (1, 2, 3):
        clock.move_to(NOON + timedelta(hours=hour))
        tick()
        if hour == 1:
            run = states.claim_next(Run.objects.get().thread_id, owner="worker")
    assert run is not None
    assert [outcome for outcome, _ in ledger(schedule)] == ["skipped", "ran", "ran"]
    skipped, waiting, _ = schedule.occurrences.all()
    assert skipped.reason == f"Run {waiting.run_id} was still waiting for the one before."
    end(run, DONE)
    clock.move_to(NOON + timedelta(hours=4))
    tick()
    assert ledger(schedule)[0] == ("ran", "03-27 16:00")
    assert list(breaks()) == []


def test_runs_are_beside_each_other_where_each_has_a_thread(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule("0 * * * *", overlap_policy="together", thread_mode="new")
    for hour in (1, 2, 3):
        clock.move_to(NOON + timedelta(hours=hour))
        tick()
        waiting = Run.objects.get(status=RunStatus.QUEUED)
        assert states.claim_next(waiting.thread_id, owner="worker") is not None
    assert [outcome for outcome, _ in ledger(schedule)] == ["ran", "ran", "ran"]
    assert Run.objects.filter(status=RunStatus.RUNNING).count() == 3


@pytest.mark.parametrize(
    ("field", "fields", "words"),
    [
        ("overlap_policy", {"overlap_policy": "together"}, "choose a new thread each time"),
        ("overlap_policy", {"overlap_policy": "together", "thread_mode": "rolling"}, "one run at a time"),
        ("overlap_policy", {"overlap_policy": "queue", "thread_mode": "new"}, "nothing to wait behind"),
        ("roll_runs", {"thread_mode": "rolling", "roll_every": "runs", "roll_runs": 0}, "at least one run"),
        ("missed_limit", {"missed_policy": "all", "missed_limit": 0}, "from 1 to 100"),
        ("missed_limit", {"missed_policy": "all", "missed_limit": 101}, "from 1 to 100"),
        ("most_runs", {"most_runs": 0}, "at least once"),
    ],
)
def test_what_does_not_go_together_is_refused(
    make_schedule: MakeSchedule, field: str, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(ZergError) as refused:
        make_schedule(**fields)
    assert refused.value.code == "bad_schedule"
    assert words in refused.value.fields[field]


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
