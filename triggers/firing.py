"""What the clock does with schedules that are due. Any number of beats may do it at once.

They are taken in batches, each in one transaction: the due time is claimed under a lock of the schedule's row, written
down once (a unique Occurrence), and its run is started. So it runs once or not at all, and the ledger says which.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from accounts.models import Membership
from common.bulk import save_each
from common.errors import ZergError
from runs import notices
from runs.hints import wake_lookers
from runs.models import UNFINISHED, Notice, Run
from runs.services import prompt_for, start_runs
from threads.services import clean_content
from triggers import timing
from triggers.models import Occurrence, Schedule
from triggers.reckoning import MISSED, Reckoning, missed_rows, newest_row, reckon
from triggers.services import start_of, tell_agents, threads_of, timing_of

log = logging.getLogger(__name__)

BATCH = 100
"""So many make a transaction: it holds SQLite's only write lock, for which a person's message may have to wait."""

LOOK = 10 * BATCH
"""So many are dealt with before the clock looks whose turn it is now."""

ONE_TIME = "It was for one time only."
STILL_LOOKING = "It was still looking for the time before."
Outcome = Occurrence.Outcome


def fire_due(seconds: float = 10) -> None:
    """Fires what is due, for about ``seconds`` at most; what is left is found by the next tick.

    People take turns: somebody's thousand schedules do not hold up somebody else's one.
    """
    end = time.monotonic() + seconds
    passed_over: set[int] = set()
    while found := list(_due(timezone.now(), passed_over)[:LOOK]):
        batches = [found[start : start + BATCH] for start in range(0, len(found), BATCH)]
        random.shuffle(batches)  # so that several beats seldom reach for the same one
        for batch in batches:
            if time.monotonic() > end:
                return
            due = _still_due(batch)
            passed_over |= {schedule.pk for schedule in due} - _fire_safely(due)


def _due(now: datetime, passed_over: Collection[int]) -> QuerySet[Schedule]:
    """What is due, in the order in which it is fired, with what it takes to claim it."""
    turn = Window(RowNumber(), partition_by="owner_id", order_by=["next_run_at", "id"])
    rows = Schedule.objects.filter(enabled=True, next_run_at__lte=now).exclude(pk__in=passed_over)
    rows = rows.only("kind", "expression", "timezone", "next_run_at")
    return rows.annotate(turn=turn).order_by("turn", "next_run_at", "id")


def _still_due(batch: Sequence[Schedule]) -> list[Schedule]:
    """Without those that another beat has dealt with since they were found."""
    rows = Schedule.objects.filter(pk__in=[schedule.pk for schedule in batch], enabled=True)
    due = dict(rows.values_list("pk", "next_run_at"))
    return [schedule for schedule in batch if due.get(schedule.pk) == schedule.next_run_at]


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
    """The same for a batch, all of it or nothing; the occurrences by their schedules' ids."""
    claimed = _claim(found)
    Occurrence.objects.bulk_create(
        [row for reckoning in claimed for row in missed_rows(reckoning)],
        # Times that are in the ledger already (the clock was set back) stay as they are.
        ignore_conflicts=True,
    )
    occurrences = _decide(_without_known(claimed))
    Occurrence.objects.bulk_create(occurrences)
    if any(occurrence.outcome == Outcome.CHECKING for occurrence in occurrences):
        transaction.on_commit(wake_lookers)
    _save([reckoning.schedule for reckoning in claimed])
    return {occurrence.schedule_id: occurrence for occurrence in occurrences}


def _claim(found: Sequence[Reckoning]) -> list[Reckoning]:
    """Takes the due times: locks the schedules and moves them on. Without those that somebody else was faster with.

    On databases without row locks (SQLite) the transaction has the only lock for writing from its beginning.
    """
    membership = Membership.objects.filter(user=OuterRef("owner"), workspace=OuterRef("agent__workspace"))
    last = Occurrence.objects.filter(schedule=OuterRef("pk"), run__isnull=False).order_by("-scheduled_for")
    rows = (
        Schedule.objects.filter(pk__in=[reckoning.schedule.pk for reckoning in found], enabled=True)
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
        .prefetch_related("agent", "owner")
        .annotate(is_member=Exists(membership), last_run=Subquery(last.values("run")[:1]))
        .in_bulk()
    )
    claimed = []
    for reckoning in found:
        row = rows.get(reckoning.schedule.pk)
        if row is not None and row.next_run_at == reckoning.due and timing_of(row) == timing_of(reckoning.schedule):
            _move_on(row, reckoning.following)
            claimed.append(replace(reckoning, schedule=row))
    return claimed


def _move_on(schedule: Schedule, following: datetime | None) -> None:
    schedule.next_run_at = following
    if following is None:
        is_once = schedule.kind == Schedule.Kind.ONCE
        _disable(schedule, ONE_TIME if is_once else "No further time is to come.")


def _disable(schedule: Schedule, reason: str) -> None:
    schedule.enabled, schedule.next_run_at = False, None
    schedule.disabled_reason = reason[:1].upper() + reason[1:300]


def _save(schedules: Sequence[Schedule]) -> None:
    save_each(schedules, ["enabled", "disabled_reason", "next_run_at", "last_run_at", "thread"])
    tell_agents({schedule.agent_id for schedule in schedules})
    notices.tell_of_schedules(
        Notice(
            owner_id=schedule.owner_id,
            agent_id=schedule.agent_id,
            schedule_id=schedule.pk,
            strength=Notice.Strength.NEEDS_YOU,
            text=f"“{schedule.title[:120]}” is switched off: {schedule.disabled_reason}"[:300],
        )
        for schedule in schedules
        if not schedule.enabled and schedule.disabled_reason != ONE_TIME
    )


def _without_known(claimed: Sequence[Reckoning]) -> list[Reckoning]:
    """Leaves out those whose newest due time was dealt with before the clock was set back."""
    rows = Occurrence.objects.filter(
        schedule__in=[reckoning.schedule.pk for reckoning in claimed],
        scheduled_for__in={reckoning.newest for reckoning in claimed},
    )
    known = set(rows.values_list("schedule", "scheduled_for"))
    unknown = []
    for reckoning in claimed:
        if (reckoning.schedule.pk, reckoning.newest) in known:
            log.warning("Schedule %s: %s was dealt with before", reckoning.schedule.pk, reckoning.newest)
        else:
            unknown.append(reckoning)
    return unknown


def _decide(claimed: Sequence[Reckoning]) -> list[Occurrence]:
    """The ledger's rows for the newest due times, not saved yet; starts the runs where there are to be some."""
    unfinished, looking = _unfinished_runs(claimed), _still_looking(claimed)
    decided: dict[int, Occurrence] = {}
    prompts: dict[int, str] = {}
    for reckoning in claimed:
        schedule = reckoning.schedule
        try:
            if refused := _refused(reckoning, unfinished):
                decided[schedule.pk] = refused
                continue
            prompt = clean_content(prompt_for(schedule.agent, schedule.prompt))
            if schedule.pk in looking:
                decided[schedule.pk] = newest_row(reckoning, Outcome.SKIPPED, STILL_LOOKING)
            elif schedule.watch_kind:
                decided[schedule.pk] = newest_row(reckoning, Outcome.CHECKING)
            else:
                prompts[schedule.pk] = prompt
        except ZergError as error:
            decided[schedule.pk] = newest_row(reckoning, Outcome.SKIPPED, error.message)
    to_start = [reckoning for reckoning in claimed if reckoning.schedule.pk in prompts]
    decided |= _start(to_start, prompts)
    return [decided[reckoning.schedule.pk] for reckoning in claimed]


def _refused(reckoning: Reckoning, unfinished: Collection[int]) -> Occurrence | None:
    """The row of a due time at which there is to be no run."""
    schedule = reckoning.schedule
    if reason := _refusal(schedule):
        _disable(schedule, reason)
        return newest_row(reckoning, Outcome.SKIPPED, f"Refused: {reason}")
    if reckoning.is_late and schedule.missed_policy == Schedule.Missed.NONE:
        return newest_row(reckoning, Outcome.MISSED, MISSED)
    if schedule.overlap_policy == Schedule.Overlap.SKIP and _last_run(schedule) in unfinished:
        return newest_row(reckoning, Outcome.SKIPPED, f"Run {_last_run(schedule)}, the one before, was still running.")
    return None


def _refusal(schedule: Schedule) -> str:
    """Why the schedule may not run, or may not run any more; empty when it may."""
    if not schedule.owner.is_active:
        return "its owner's account is switched off."
    if not schedule.is_member:  # type: ignore[attr-defined]  # annotated by _claim
        return "its owner is no longer a member of the workspace."
    if schedule.agent.archived_at is not None:
        return "its agent is archived."
    if schedule.thread_mode == Schedule.ThreadMode.BOUND and schedule.thread_id is None:
        return "the thread it wrote to was deleted."
    return ""


def _last_run(schedule: Schedule) -> int | None:
    """The last run that the clock started for it."""
    last: int | None = schedule.last_run  # type: ignore[attr-defined]  # annotated by _claim
    return last


def _unfinished_runs(claimed: Sequence[Reckoning]) -> set[int]:
    """Of the schedules' last runs those that have not ended."""
    last = {run for reckoning in claimed if (run := _last_run(reckoning.schedule)) is not None}
    return set(Run.objects.filter(pk__in=last, status__in=UNFINISHED).values_list("pk", flat=True)) if last else set()


def _still_looking(claimed: Sequence[Reckoning]) -> set[int]:
    """The schedules that look at their address for an earlier time just now: two looks would see the same news."""
    watching = [reckoning.schedule.pk for reckoning in claimed if reckoning.schedule.watch_kind]
    if not watching:
        return set()
    rows = Occurrence.objects.filter(outcome=Outcome.CHECKING, schedule__in=watching)
    return set(rows.values_list("schedule", flat=True))


def _start(ready: Sequence[Reckoning], prompts: Mapping[int, str]) -> dict[int, Occurrence]:
    """Starts the runs, and gives the ledger's rows of their due times by the schedules' ids."""
    starts = []
    try:
        with transaction.atomic():
            threads = threads_of([reckoning.schedule for reckoning in ready])
            for reckoning, thread_id in zip(ready, threads, strict=True):
                schedule = reckoning.schedule
                key = f"schedule:{schedule.pk}:{reckoning.newest.isoformat()}"
                prompt, trigger = prompts[schedule.pk], Run.Trigger.SCHEDULE
                starts.append(start_of(schedule, thread_id, prompt, author=schedule.owner, trigger=trigger, key=key))
            runs = start_runs(starts)
    except ZergError as error:
        if len(ready) > 1:  # whose it is shows when each is fired alone
            raise
        return {each.schedule.pk: newest_row(each, Outcome.SKIPPED, error.message) for each in ready}
    for reckoning in ready:
        reckoning.schedule.last_run_at = reckoning.now
    return {each.schedule.pk: newest_row(each, Outcome.RAN, run=run) for each, run in zip(ready, runs, strict=True)}


@transaction.atomic
def _write_off(schedule: Schedule, error: Exception) -> bool:
    """Writes down a due time that could not be dealt with, and moves on; a timing that cannot be read is disabled.

    False when another beat has it, or when it was changed meanwhile.
    """
    now, due = timezone.now(), _due_time(schedule)
    sentence = error.message if isinstance(error, ZergError) else "a fault in Zerg; its log says more."
    try:
        following = timing.next_times(*timing_of(schedule), now, 1)
    except ZergError:
        following = []
    claimed = _claim([Reckoning(schedule, now, due, [], False, due, following[0] if following else None)])
    for reckoning in claimed:
        if not following:
            _disable(reckoning.schedule, sentence)
        row = newest_row(reckoning, Outcome.SKIPPED, f"Error: {sentence}")
        Occurrence.objects.bulk_create([row], ignore_conflicts=True)
        _save([reckoning.schedule])
    return bool(claimed)


def lock_for_look(schedule_id: int) -> Schedule | None:
    """The schedule's row as ``go_on`` needs it, locked until the end of the transaction; None when it is gone."""
    membership = Membership.objects.filter(user=OuterRef("owner"), workspace=OuterRef("agent__workspace"))
    rows = Schedule.objects.filter(pk=schedule_id).select_for_update(of=("self",), no_key=True)
    return rows.prefetch_related("agent", "owner").annotate(is_member=Exists(membership)).first()


def go_on(schedule: Schedule, occurrence: Occurrence, tell: Callable[[str], str]) -> Occurrence:
    """Starts the run of a due time for which it was looked first; ``schedule`` is from ``lock_for_look``.

    ``tell`` makes the message of the prompt. Gives what becomes of the due time, not saved: what was true when it came
    may not be any more.
    """
    if not schedule.enabled and not schedule.disabled_reason:
        return Occurrence(outcome=Outcome.SKIPPED, reason="It was paused meanwhile.")
    if reason := _refusal(schedule):
        _disable(schedule, reason)
        _save([schedule])
        return Occurrence(outcome=Outcome.SKIPPED, reason=f"Refused: {reason}")
    due = occurrence.scheduled_for
    reckoning = Reckoning(schedule, timezone.now(), due, [], False, due, schedule.next_run_at)
    try:
        prompt = clean_content(tell(prompt_for(schedule.agent, schedule.prompt)))
    except ZergError as error:
        return Occurrence(outcome=Outcome.SKIPPED, reason=error.message)
    decided = _start([reckoning], {schedule.pk: prompt})[schedule.pk]
    _save([schedule])
    return Occurrence(outcome=decided.outcome, reason="" if decided.run else decided.reason, run=decided.run)
