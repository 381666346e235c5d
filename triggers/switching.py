"""How a schedule is switched off by itself, and who is told."""

from __future__ import annotations

from collections.abc import Iterable

from runs import notices
from runs.models import Notice
from triggers.models import Schedule

ONE_TIME = "It was for one time only."
OVER = "No further time is to come."


def switch_off(schedule: Schedule, reason: str) -> None:
    """Nothing comes due any more (not saved yet). What would have come is remembered: see ``triggers.pauses``."""
    schedule.off_from = schedule.next_run_at
    schedule.enabled, schedule.next_run_at = False, None
    schedule.disabled_reason = reason[:1].upper() + reason[1:300]


def end(schedule: Schedule, reason: str) -> None:
    """It has done what was asked of it: no time would have come."""
    schedule.next_run_at = None
    switch_off(schedule, reason)


def as_often_as_asked(schedule: Schedule) -> str:
    """The reason of a schedule that has run so many times."""
    return (
        "It has run once, as asked." if schedule.most_runs == 1 else f"It has run {schedule.most_runs} times, as asked."
    )


def tell_owners(schedules: Iterable[Schedule]) -> None:
    """Tells the owners of those that were switched off, unless that is what they had asked for."""
    notices.tell_of_schedules(
        Notice(
            owner_id=schedule.owner_id,
            agent_id=schedule.agent_id,
            schedule_id=schedule.pk,
            strength=Notice.Strength.NEEDS_YOU,
            text=f"“{schedule.title[:120]}” is switched off: {schedule.disabled_reason}"[:300],
        )
        for schedule in schedules
        if not schedule.enabled and not _as_asked(schedule)
    )


def _as_asked(schedule: Schedule) -> bool:
    asked = {ONE_TIME, as_often_as_asked(schedule)}
    return schedule.disabled_reason in (asked | {OVER} if schedule.ends_at else asked)
