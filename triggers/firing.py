"""What the clock does with schedules that are due. Any number of beats may do it at once.

They are taken in batches, each in one transaction: the due time is claimed under a lock of the schedule's row, written
down once (a unique Occurrence), and its run is started. So it runs once or not at all, and the ledger says which.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from common.bulk import insert_each, save_each
from common.errors import ZergError
from common.prepared import prepared
from runs.hints import wake_lookers
from triggers import switching
from triggers.deciding import Slot, ToStart, decide, refusal, start
from triggers.models import Occurrence, Schedule
from triggers.people import with_people
from triggers.prompts import NO_LAST, lasts_of, prompt_of
from triggers.reckoning import Reckoning, missed_rows, next_time, reckon, row
from triggers.services import WHEN, tell_agents

log = logging.getLogger(__name__)

BATCH = 256
"""So many make a transaction: it holds SQLite's only write lock, for which a person's message may have to wait, for
some 120 ms. A power of two, as prepared queries have it."""

LOOK = 6 * BATCH
"""So many are dealt with before the clock looks whose turn it is now."""

RECKONED = (*WHEN, "missed_policy", "missed_limit")
"""What a schedule's due times, and which of them are made up for, are reckoned from."""

WRITTEN = (
    "enabled", "disabled_reason", "next_run_at", "off_from", "last_run_at", "runs_made",
    "thread", "thread_since", "thread_runs", "thread_number",
)  # fmt: skip
"""What the clock changes of a schedule. How its runs end is not among it: see ``triggers.outcomes``."""

Outcome = Occurrence.Outcome


def fire_due(seconds: float = 10) -> None:
    """Fires what is due, for about ``seconds`` at most; what is left is found by the next tick.

    People take turns: somebody's thousand schedules do not hold up somebody else's one.
    """
    end = time.monotonic() + seconds
    passed_over: set[int] = set()
    while found := _due(timezone.now(), passed_over):
        batches = [found[start : start + BATCH] for start in range(0, len(found), BATCH)]
        random.shuffle(batches)  # so that several beats seldom reach for the same one
        for batch in batches:
            if time.monotonic() > end:
                return
            due = _still_due(batch)
            passed_over |= {schedule.pk for schedule in due} - _fire_safely(due)


def _due(now: datetime, passed_over: Collection[int]) -> list[Slot]:
    """What is due, in the order in which it is fired: LOOK at most."""
    if not _one_due(now):  # as nearly always, and that is quickly told
        return []
    turn = Window(RowNumber(), partition_by="owner_id", order_by=["next_run_at", "id"])
    rows = Schedule.objects.filter(enabled=True, next_run_at__lte=now).exclude(pk__in=passed_over)
    in_turn = rows.annotate(turn=turn).order_by("turn", "next_run_at", "id")
    return [(pk, due) for pk, due in in_turn.values_list("pk", "next_run_at")[:LOOK] if due is not None]


@prepared
def _one_due(now: Any) -> QuerySet[Schedule, int]:
    return Schedule.objects.filter(enabled=True, next_run_at__lte=now).order_by().values_list("pk", flat=True)[:1]


def _still_due(batch: Sequence[Slot]) -> list[Schedule]:
    """As they stand now, with what it takes to reckon; without those that another beat has dealt with meanwhile."""
    rows = {schedule.pk: schedule for schedule in _to_reckon(tuple(pk for pk, _ in batch))}
    return [rows[pk] for pk, due in batch if pk in rows and rows[pk].next_run_at == due]


@prepared
def _to_reckon(ids: Any) -> QuerySet[Schedule]:
    return Schedule.objects.filter(pk__in=ids, enabled=True).only(*RECKONED, "next_run_at").order_by()


def _fire_safely(batch: Sequence[Schedule]) -> set[int]:
    """One bad schedule does not stop the others: a batch that fails is halved until that one stands alone.

    Gives the ids of those that were fired.
    """
    if not batch:
        return set()
    try:
        try:
            return set(_fire([reckon(schedule, _due_time(schedule)) for schedule in batch]))
        except OperationalError:
            raise
        except Exception as error:
            if len(batch) > 1:
                half = len(batch) // 2
                return _fire_safely(batch[:half]) | _fire_safely(batch[half:])
            log.exception("Schedule %s could not be run", batch[0].pk)
            return {batch[0].pk} if _write_off(batch[0], error) else set()
    except OperationalError as error:
        log.warning("%d schedules wait for the database: %s", len(batch), error)
    except Exception:
        log.exception("Schedule %s could not even be written off", batch[0].pk)
    return set()


def _due_time(schedule: Schedule) -> datetime:
    assert schedule.next_run_at is not None
    return schedule.next_run_at


def fire(schedule: Schedule, scheduled_for: datetime) -> Occurrence | None:
    """Runs ``schedule`` for the time it was due, and writes down what became of it and of the times missed since.

    None when another beat has it, or when it was changed meanwhile. Nothing is sent inside the transaction.
    """
    return _fire([reckon(schedule, scheduled_for)]).get(schedule.pk)


@transaction.atomic
def _fire(found: Sequence[Reckoning]) -> dict[int, Occurrence]:
    """The same for a batch, all of it or nothing; the newest occurrences by their schedules' ids."""
    claimed = _claim(found)
    if not claimed:
        return {}
    Occurrence.objects.bulk_create(
        [missed for reckoning in claimed for missed in missed_rows(reckoning)],
        # Times that are in the ledger already (the clock was set back) stay as they are.
        ignore_conflicts=True,
    )
    occurrences = decide(claimed, known=_known(claimed))
    insert_each(occurrences)
    if any(occurrence.outcome == Outcome.CHECKING for occurrence in occurrences):
        transaction.on_commit(wake_lookers)
    _save([reckoning.schedule for reckoning in claimed])
    return {occurrence.schedule_id: occurrence for occurrence in occurrences}


def _claim(found: Sequence[Reckoning]) -> list[Reckoning]:
    """Takes the due times: locks the schedules and moves them on. Without those that somebody else was faster with.

    On databases without row locks (SQLite) the transaction has the only lock for writing from its beginning.
    """
    rows = {schedule.pk: schedule for schedule in _locked(tuple(reckoning.schedule.pk for reckoning in found))}
    with_people(rows.values())
    claimed = []
    for reckoning in found:
        schedule = rows.get(reckoning.schedule.pk)
        if schedule is not None and _is_same(schedule, reckoning):
            _move_on(schedule, reckoning.following)
            claimed.append(replace(reckoning, schedule=schedule))
    return claimed


@prepared
def _locked(ids: Any) -> QuerySet[Schedule]:
    rows = Schedule.objects.filter(pk__in=ids, enabled=True).order_by()
    return rows.select_for_update(of=("self",), no_key=True, skip_locked=True)


def _is_same(current: Schedule, reckoning: Reckoning) -> bool:
    """Whether what was reckoned still holds: nobody has fired or changed the schedule meanwhile."""
    seen = reckoning.schedule
    return current.next_run_at == reckoning.due and all(
        getattr(current, name) == getattr(seen, name) for name in RECKONED
    )


def _move_on(schedule: Schedule, following: datetime | None) -> None:
    schedule.next_run_at = following
    if following is None:
        switching.end(schedule, switching.ONE_TIME if schedule.kind == Schedule.Kind.ONCE else switching.OVER)


def _save(schedules: Sequence[Schedule]) -> None:
    save_each(schedules, WRITTEN)
    tell_agents({schedule.agent_id for schedule in schedules})
    switching.tell_owners(schedules)


def _known(claimed: Sequence[Reckoning]) -> set[Slot]:
    """The due times, with their schedules' ids, that were dealt with before the clock was set back."""
    slots = {(reckoning.schedule.pk, due) for reckoning in claimed for due in reckoning.times}
    known = slots & set(_in_ledger(tuple(reckoning.schedule.pk for reckoning in claimed)))
    for schedule_id, due in known:
        log.warning("Schedule %s: %s was dealt with before", schedule_id, due)
    return known


@prepared
def _in_ledger(ids: Any) -> QuerySet[Occurrence, Slot]:
    """The due times that are written down of what is claimed, from those on that are not saved yet."""
    rows = Occurrence.objects.filter(schedule__id__in=ids, scheduled_for__gte=F("schedule__next_run_at"))
    return rows.order_by().values_list("schedule_id", "scheduled_for")


@transaction.atomic
def _write_off(schedule: Schedule, error: Exception) -> bool:
    """Writes down a due time that could not be dealt with, and moves on; a timing that cannot be read is disabled.

    False when another beat has it, or when it was changed meanwhile.
    """
    now, due = timezone.now(), _due_time(schedule)
    sentence = error.message if isinstance(error, ZergError) else "a fault in Zerg; its log says more."
    is_readable = True
    try:
        following = next_time(schedule, now)
    except ZergError:
        following, is_readable = None, False
    claimed = _claim([Reckoning(schedule, now, due, [], False, [due], following)])
    for reckoning in claimed:
        if not is_readable:
            switching.end(reckoning.schedule, sentence)
        written = row(reckoning, due, Occurrence.Outcome.SKIPPED, f"Error: {sentence}")
        Occurrence.objects.bulk_create([written], ignore_conflicts=True)
        _save([reckoning.schedule])
    return bool(claimed)


def lock_for_look(schedule_id: int) -> Schedule | None:
    """The schedule's row as ``go_on`` needs it, locked until the end of the transaction; None when it is gone."""
    rows = list(Schedule.objects.filter(pk=schedule_id).select_for_update(of=("self",), no_key=True))
    with_people(rows)
    return rows[0] if rows else None


def go_on(schedule: Schedule, occurrence: Occurrence, change: str | None) -> Occurrence:
    """Starts the run of a due time for which it was looked first; ``schedule`` is from ``lock_for_look``.

    ``change`` is what the agent is told of what was seen. Gives what becomes of the due time, not saved: what was true
    when it came may not be any more.
    """
    if not schedule.enabled and not schedule.disabled_reason:
        return Occurrence(outcome=Outcome.SKIPPED, reason="It was paused meanwhile.")
    if reason := refusal(schedule):
        switching.switch_off(schedule, reason)
        _save([schedule])
        return Occurrence(outcome=Outcome.SKIPPED, reason=f"Refused: {reason}")
    now, due = timezone.now(), occurrence.scheduled_for
    reckoning = Reckoning(schedule, now, due, [], False, [due], schedule.next_run_at)
    try:
        prompt = prompt_of(schedule, now, lasts_of([schedule]).get(schedule.pk, NO_LAST), change=change)
    except ZergError as error:
        return Occurrence(outcome=Outcome.SKIPPED, reason=error.message)
    (decided,) = start([ToStart(reckoning, due, prompt)])
    _save([schedule])
    return Occurrence(outcome=decided.outcome, reason="" if decided.run else decided.reason, run=decided.run)
