"""What becomes of due times that the clock has claimed: run, or skipped and why. Inside the clock's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from common.errors import ZergError
from common.prepared import prepared
from runs.models import UNFINISHED, Run, RunStatus
from runs.services import start_runs
from triggers import switching
from triggers.models import Occurrence, Schedule
from triggers.places import rolls, threads_of
from triggers.prompts import NO_LAST, Last, lasts_of, prompt_of
from triggers.reckoning import MISSED, Reckoning, row
from triggers.services import start_of
from triggers.zones import zone

Overlap, Missed = Schedule.Overlap, Schedule.Missed
Outcome = Occurrence.Outcome
STILL_LOOKING = "It was still looking for the time before."
Slot = tuple[int, datetime]
"""A schedule's id with one of its due times."""


@dataclass
class Going:
    """The runs of a schedule that have not ended, as they stand before this due time."""

    active: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)
    looks: bool = False
    """It looks at its address for an earlier time just now."""


@dataclass(frozen=True)
class ToStart:
    """A due time at which there is to be a run, with what the agent is told."""

    reckoning: Reckoning
    due: datetime
    prompt: str


def decide(claimed: Sequence[Reckoning], *, known: Collection[Slot]) -> list[Occurrence]:
    """The ledger's rows for the due times, but for those ``known``: not saved yet. Starts runs where there are to be
    some, and switches off schedules that may not run any more, or have run as often as was asked."""
    going = _unfinished_runs(claimed)
    looking = _still_looking(claimed)
    lasts = lasts_of([reckoning.schedule for reckoning in claimed])
    rows: list[Occurrence] = []
    to_start: list[ToStart] = []
    for reckoning in claimed:
        times = [due for due in reckoning.times if (reckoning.schedule.pk, due) not in known]
        schedule_id = reckoning.schedule.pk
        one = going.get(schedule_id, Going())
        one.looks = schedule_id in looking
        for decided in _each(reckoning, times, one, lasts.get(schedule_id, NO_LAST)):
            if isinstance(decided, ToStart):
                to_start.append(decided)
            else:
                rows.append(decided)
    rows += start(to_start)
    return sorted(rows, key=lambda one: one.scheduled_for)


def _each(reckoning: Reckoning, times: Sequence[datetime], going: Going, last: Last) -> Iterator[Occurrence | ToStart]:
    """What is to become of the times of one schedule, in their order."""
    schedule = reckoning.schedule
    if reason := refusal(schedule):
        switching.switch_off(schedule, reason)
        for due in times:
            yield row(reckoning, due, Outcome.SKIPPED, f"Refused: {reason}")
        return
    left = None if schedule.most_runs is None else schedule.most_runs - schedule.runs_made
    for due in times:
        if not_now := _not_now(reckoning, due, going):
            yield row(reckoning, due, *not_now)
            continue
        try:
            prompt = prompt_of(schedule, reckoning.now, last)
        except ZergError as error:
            yield row(reckoning, due, Outcome.SKIPPED, error.message)
            continue
        if schedule.watch_kind:
            yield row(reckoning, due, *_look(going))
            continue
        yield ToStart(reckoning, due, prompt)
        left = None if left is None else left - 1
        if left == 0:
            return  # what would have come after the last run does not come


def _look(going: Going) -> tuple[Outcome, str]:
    """Of a schedule that looks first: two looks at once would see the same news."""
    if going.looks:
        return Outcome.SKIPPED, STILL_LOOKING
    going.looks = True
    return Outcome.CHECKING, ""


def refusal(schedule: Schedule) -> str:
    """Why the schedule may not run, or may not run any more; empty when it may."""
    if not schedule.owner.is_active:
        return "its owner's account is switched off."
    if not schedule.is_member:  # type: ignore[attr-defined]  # annotated by the clock
        return "its owner is no longer a member of the workspace."
    if schedule.agent.archived_at is not None:
        return "its agent is archived."
    if schedule.thread_mode == Schedule.ThreadMode.BOUND and schedule.thread_id is None:
        return "the thread it wrote to was deleted."
    return ""


def _not_now(reckoning: Reckoning, due: datetime, going: Going) -> tuple[Outcome, str] | None:
    """The outcome and the reason of a due time at which there is to be no run."""
    schedule, is_late = reckoning.schedule, reckoning.is_late(due)
    if is_late and schedule.missed_policy == Missed.NONE:
        return Outcome.MISSED, MISSED
    if schedule.back_off_until is not None and due < schedule.back_off_until:
        until = schedule.back_off_until.astimezone(zone(schedule.timezone))
        count = schedule.failures_in_row
        failures = "a failure" if count == 1 else f"{count} failures in a row"
        return Outcome.SKIPPED, f"Backing off after {failures}, until {until:%H:%M}."
    if is_late and schedule.missed_policy == Missed.ALL:
        return None  # what is made up for waits in line, one behind the other
    if reason := _overlap(schedule, due, going):
        return Outcome.SKIPPED, reason
    return None


def _overlap(schedule: Schedule, due: datetime, going: Going) -> str:
    """Why a run may not begin or wait beside those that have not ended; empty when it may."""
    if schedule.overlap_policy == Overlap.TOGETHER:
        return ""
    unfinished = [*going.active, *going.queued]
    if not unfinished:
        return ""
    # In another thread it would not wait for the last run, but begin beside it.
    if schedule.overlap_policy == Overlap.QUEUE and not rolls(schedule, due):
        return f"Run {unfinished[-1]} was still waiting for the one before." if len(unfinished) > 1 else ""
    does = "running" if going.active else "waiting for its turn"
    return f"Run {unfinished[-1]}, the one before, was still {does}."


def _unfinished_runs(claimed: Sequence[Reckoning]) -> Mapping[int, Going]:
    """What the clock has started and has not ended, by the schedules' ids."""
    going: dict[int, Going] = {}
    for schedule_id, run_id, status in _unfinished(tuple(reckoning.schedule.pk for reckoning in claimed)):
        one = going.setdefault(schedule_id or 0, Going())
        (one.queued if status == RunStatus.QUEUED else one.active).append(run_id)
    return going


@prepared
def _unfinished(ids: Any) -> QuerySet[Run, tuple[int | None, int, str]]:
    rows = Run.objects.filter(schedule_id__in=ids, status__in=UNFINISHED, trigger=Run.Trigger.SCHEDULE)
    return rows.order_by("pk").values_list("schedule_id", "pk", "status")


def _still_looking(claimed: Sequence[Reckoning]) -> set[int]:
    """The schedules that look at their address for an earlier time just now."""
    watching = [reckoning.schedule.pk for reckoning in claimed if reckoning.schedule.watch_kind]
    if not watching:
        return set()
    rows = Occurrence.objects.filter(outcome=Outcome.CHECKING, schedule__in=watching)
    return set(rows.values_list("schedule", flat=True))


def start(ready: Sequence[ToStart]) -> list[Occurrence]:
    """Starts the runs, and gives the ledger's rows of their due times."""
    if not ready:
        return []
    try:
        with transaction.atomic():
            threads, made = threads_of([(one.reckoning.schedule, one.due) for one in ready])
            starts = [
                start_of(
                    one.reckoning.schedule,
                    thread_id,
                    one.prompt,
                    author=one.reckoning.schedule.owner,
                    trigger=Run.Trigger.SCHEDULE,
                    key=f"schedule:{one.reckoning.schedule.pk}:{one.due.isoformat()}",
                )
                for one, thread_id in zip(ready, threads, strict=True)
            ]
            runs = start_runs(starts, made=made)
    except ZergError as error:
        return _skip(ready, error)
    for one in ready:
        _count(one.reckoning)
    return [row(one.reckoning, one.due, Outcome.RAN, run=run) for one, run in zip(ready, runs, strict=True)]


def _count(reckoning: Reckoning) -> None:
    schedule = reckoning.schedule
    schedule.last_run_at = reckoning.now
    schedule.runs_made += 1
    if schedule.most_runs is not None and schedule.runs_made >= schedule.most_runs:
        switching.end(schedule, switching.as_often_as_asked(schedule))


def _skip(ready: Sequence[ToStart], error: ZergError) -> list[Occurrence]:
    """The rows of what could not be started. Raises the error where it may be only one schedule's of several."""
    schedules = {one.reckoning.schedule.pk: one.reckoning.schedule for one in ready}
    if len(schedules) > 1:  # whose it is shows when each is fired alone
        raise error
    for schedule in schedules.values():  # it has no thread that was made in vain
        schedule.refresh_from_db(fields=["thread", "thread_since", "thread_runs", "thread_number"])
    return [row(one.reckoning, one.due, Outcome.SKIPPED, error.message) for one in ready]
