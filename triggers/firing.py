"""What the clock does with schedules that are due. Any number of beats may do it at once.

Each due time is claimed by a conditional update of ``next_run_at`` and written down once (a unique Occurrence), both in
the transaction that starts the run. So it runs once or not at all, and the ledger says which.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Exists, OuterRef, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from accounts.models import Membership
from common.errors import ZergError
from runs.models import UNFINISHED, Run
from runs.services import run_agent
from triggers import timing
from triggers.models import Occurrence, Schedule
from triggers.services import tell_agent, thread_of

log = logging.getLogger(__name__)

BATCH = 200
MOST_MISSED = 100
"""So many missed times get a row each; the newest due time says that there were more."""

MISSED = "Zerg was off or too busy at this time."
ONE_TIME = "It was for one time only."


@dataclass(frozen=True)
class Reckoning:
    """A due schedule as it stands ``now``: the newest time that is due, those missed before it, and the next one."""

    now: datetime
    missed: list[datetime]
    more_missed: bool
    newest: datetime
    following: datetime | None

    @property
    def lateness(self) -> float:
        return round((self.now - self.newest).total_seconds(), 3)

    @property
    def is_late(self) -> bool:
        return self.lateness > max(60.0, 3 * settings.TICK_SECONDS)


def fire_due(seconds: float = 20) -> None:
    """Fires what is due, for about ``seconds`` at most; what is left is found by the next tick.

    People take turns: somebody's thousand schedules do not hold up somebody else's one.
    """
    end = time.monotonic() + seconds
    passed_over: set[int] = set()
    while batch := list(_due(timezone.now(), passed_over)[:BATCH]):
        for schedule in batch:
            if time.monotonic() > end:
                return
            if _fire_safely(schedule) is None:
                passed_over.add(schedule.pk)


def _due(now: datetime, passed_over: Collection[int]) -> QuerySet[Schedule]:
    turn = Window(RowNumber(), partition_by="owner_id", order_by=["next_run_at", "id"])
    rows = Schedule.objects.filter(enabled=True, next_run_at__lte=now).exclude(pk__in=passed_over)
    return rows.annotate(turn=turn).order_by("turn", "next_run_at", "id")


def _fire_safely(schedule: Schedule) -> Occurrence | None:
    """One bad schedule does not stop the others."""
    due = schedule.next_run_at
    assert due is not None
    try:
        try:
            return fire(schedule, due)
        except OperationalError:
            raise
        except Exception as error:
            log.exception("Schedule %s could not be run", schedule.pk)
            return _write_off(schedule, due, error)
    except OperationalError as error:
        log.warning("Schedule %s waits for the database: %s", schedule.pk, error)
    except Exception:
        log.exception("Schedule %s could not even be written off", schedule.pk)
    return None


def fire(schedule: Schedule, scheduled_for: datetime) -> Occurrence | None:
    """Runs ``schedule`` for the time it was due, and writes down what became of it and of the times missed since.

    None when another beat has it, or when it was changed meanwhile. Nothing is sent inside the transaction.
    """
    reckoning = reckon(schedule, scheduled_for)
    with transaction.atomic():
        claimed = _claim(schedule, scheduled_for, reckoning.following)
        if claimed is None:
            return None
        rows = [_row(claimed, missed, reckoning, Occurrence.Outcome.MISSED, MISSED) for missed in reckoning.missed]
        # Times that are in the ledger already (the clock was set back) stay as they are.
        Occurrence.objects.bulk_create(rows, ignore_conflicts=True)
        try:
            with transaction.atomic():
                occurrence = _decide(claimed, reckoning)
                occurrence.save()
        except IntegrityError:
            log.warning("Schedule %s: %s was dealt with before", schedule.pk, reckoning.newest)
            occurrence = None
        tell_agent(claimed.agent_id)
    return occurrence


def reckon(schedule: Schedule, due: datetime) -> Reckoning:
    """What is due of a schedule that was due first at ``due``. Raises ZergError for a timing that cannot be read."""
    now = timezone.now()
    when = (schedule.kind, schedule.expression, schedule.timezone)
    upcoming = timing.next_times(*when, due, 1)
    if not upcoming or upcoming[0] > now:
        return Reckoning(now, [], False, due, upcoming[0] if upcoming else None)
    passed = [due, *takewhile(lambda one: one <= now, timing.next_times(*when, due, MOST_MISSED))]
    more = len(passed) > MOST_MISSED
    newest = timing.latest_time(*when, due, now) if more else passed[-1]
    missed = [one for one in passed[:MOST_MISSED] if one < newest]
    following = timing.next_times(*when, newest, 1)
    return Reckoning(now, missed, more, newest, following[0] if following else None)


def _claim(schedule: Schedule, due: datetime, following: datetime | None) -> Schedule | None:
    """Takes the due time: moves the schedule on to the next one. None when somebody else was faster."""
    membership = Membership.objects.filter(user=OuterRef("owner"), workspace=OuterRef("agent__workspace"))
    rows = Schedule.objects.filter(
        pk=schedule.pk,
        enabled=True,
        next_run_at=due,
        kind=schedule.kind,
        expression=schedule.expression,
        timezone=schedule.timezone,
    )
    held = rows.select_for_update(of=("self",), no_key=True, skip_locked=True)
    claimed = held.select_related("agent", "owner", "thread").annotate(is_member=Exists(membership)).first()
    if claimed is None:
        return None
    # On databases without row locks (SQLite) this update's row count is what decides.
    if following is None:
        reason = ONE_TIME if schedule.kind == Schedule.Kind.ONCE else "No further time is to come."
        taken = rows.update(next_run_at=None, enabled=False, disabled_reason=reason)
    else:
        taken = rows.update(next_run_at=following)
    return claimed if taken else None


def _decide(schedule: Schedule, reckoning: Reckoning) -> Occurrence:
    """The ledger's row for the newest due time, not saved yet; starts the run where there is to be one."""
    refusal = _refusal(schedule)
    if refusal:
        _disable(schedule, refusal)
        return _row(schedule, reckoning.newest, reckoning, Occurrence.Outcome.SKIPPED, f"Refused: {refusal}")
    if reckoning.is_late and schedule.missed_policy == Schedule.Missed.NONE:
        return _row(schedule, reckoning.newest, reckoning, Occurrence.Outcome.MISSED, MISSED)
    busy = _unfinished_run(schedule) if schedule.overlap_policy == Schedule.Overlap.SKIP else None
    if busy:
        reason = f"Run {busy}, the one before, was still running."
        return _row(schedule, reckoning.newest, reckoning, Occurrence.Outcome.SKIPPED, reason)
    try:
        with transaction.atomic():
            run = _start(schedule, reckoning)
    except ZergError as error:
        return _row(schedule, reckoning.newest, reckoning, Occurrence.Outcome.SKIPPED, error.message)
    return _row(schedule, reckoning.newest, reckoning, Occurrence.Outcome.RAN, "", run)


def _start(schedule: Schedule, reckoning: Reckoning) -> Run:
    run = run_agent(
        schedule.agent,
        actor=schedule.owner,
        thread=thread_of(schedule),
        text=schedule.prompt,
        trigger=Run.Trigger.SCHEDULE,
        key=f"schedule:{schedule.pk}:{reckoning.newest.isoformat()}",
    )
    Schedule.objects.filter(pk=schedule.pk).update(last_run_at=reckoning.now)
    return run


def _refusal(schedule: Schedule) -> str:
    """Why the schedule may not run, or may not run any more; empty when it may."""
    if not schedule.owner.is_active:
        return "its owner's account is switched off."
    if not schedule.is_member:  # type: ignore[attr-defined]  # annotated by _claim
        return "its owner is no longer a member of the workspace."
    if schedule.agent.archived_at is not None:
        return "its agent is archived."
    if schedule.thread_mode == Schedule.ThreadMode.BOUND and schedule.thread is None:
        return "the thread it wrote to was deleted."
    return ""


def _disable(schedule: Schedule, reason: str) -> None:
    sentence = reason[:1].upper() + reason[1:300]
    Schedule.objects.filter(pk=schedule.pk).update(enabled=False, next_run_at=None, disabled_reason=sentence)


def _unfinished_run(schedule: Schedule) -> int | None:
    """The id of the last scheduled run, if it has not ended."""
    last = Occurrence.objects.filter(schedule=schedule, run__isnull=False).order_by("-scheduled_for")
    status = last.values_list("run", "run__status").first()
    return status[0] if status and status[1] in UNFINISHED else None


def _row(
    schedule: Schedule,
    scheduled_for: datetime,
    reckoning: Reckoning,
    outcome: Occurrence.Outcome,
    reason: str,
    run: Run | None = None,
) -> Occurrence:
    said = [reason]
    if scheduled_for == reckoning.newest:
        if outcome == Occurrence.Outcome.RAN and reckoning.is_late:
            said.append("Zerg was off or too busy at the time, so it ran late.")
        if reckoning.more_missed:
            since = reckoning.missed[0].strftime("%Y-%m-%d %H:%M")
            said.append(
                f"More than {MOST_MISSED} times were missed since {since} UTC; the first {MOST_MISSED} are listed."
            )
        elif reckoning.missed:
            said.append(f"{len(reckoning.missed)} earlier times were missed.")
    return Occurrence(
        schedule=schedule,
        scheduled_for=scheduled_for,
        fired_at=reckoning.now,
        outcome=outcome,
        reason=" ".join(filter(None, said))[:300],
        lateness_seconds=round((reckoning.now - scheduled_for).total_seconds(), 3),
        run=run,
    )


@transaction.atomic
def _write_off(schedule: Schedule, due: datetime, error: Exception) -> Occurrence | None:
    """Writes down a due time that could not be dealt with, and moves on; a timing that cannot be read is disabled."""
    now = timezone.now()
    sentence = error.message if isinstance(error, ZergError) else "a fault in Zerg; its log says more."
    try:
        following = timing.next_times(schedule.kind, schedule.expression, schedule.timezone, now, 1)
    except ZergError:
        following = []
    if _claim(schedule, due, following[0] if following else None) is None:
        return None
    if not following:
        _disable(schedule, sentence)
    occurrence, _ = Occurrence.objects.get_or_create(
        schedule=schedule,
        scheduled_for=due,
        defaults={
            "fired_at": now,
            "outcome": Occurrence.Outcome.SKIPPED,
            "reason": f"Error: {sentence}"[:300],
            "lateness_seconds": round((now - due).total_seconds(), 3),
        },
    )
    tell_agent(schedule.agent_id)
    return occurrence
