"""Due times that come while a schedule is switched off: the ledger has them, too, once it is switched on again."""

from __future__ import annotations

from datetime import datetime

from common.errors import ZergError
from triggers.models import Occurrence, Schedule
from triggers.reckoning import bare_row, next_time, skipped_rows

PAUSED = "It was paused."
CHANGED = "The schedule was changed before this time was dealt with."


def write_down_passed(before: Schedule, now: datetime) -> None:
    """Rows for the times that passed of a schedule as it stood ``before`` it is counted anew, and was not run for.

    Inside the transaction that changes it, under its lock.
    """
    since = before.next_run_at if before.enabled else before.off_from
    if since is None or since > now:
        return
    reason = CHANGED
    if not before.enabled:
        reason = f"It was switched off: {before.disabled_reason}" if before.disabled_reason else PAUSED
    try:
        rows = skipped_rows(before, since, now, reason)
    except ZergError:  # what its timing was cannot be read any more
        rows = [bare_row(before, since, Occurrence.Outcome.SKIPPED, reason, at=now)]
    # The ledger has those already that were dealt with before the clock was set back.
    Occurrence.objects.bulk_create(rows, ignore_conflicts=True)


def off_from(schedule: Schedule, before: Schedule, now: datetime, *, same_times: bool) -> datetime | None:
    """The first due time that does not come of a schedule that is off now; None when none would have come."""
    first = before.next_run_at if before.enabled else before.off_from
    return first if same_times or first is None else next_time(schedule, now)
