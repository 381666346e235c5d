"""What is due of a schedule at a moment, and how the ledger says what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from django.conf import settings
from django.utils import timezone

from runs.models import Run
from triggers import timing
from triggers.models import Occurrence, Schedule

MOST_MISSED = 100
"""So many missed times get a row each; the newest due time says that there were more."""

LATE = {Occurrence.Outcome.RAN: "ran", Occurrence.Outcome.CHECKING: "looked"}
MISSED = "Zerg was off or too busy at this time."


@dataclass(frozen=True)
class Reckoning:
    """A schedule as it stood when it was looked at, ``now``: the time ``due`` that it was found with, those missed
    since, the newest one that is due, and the one that follows."""

    schedule: Schedule
    now: datetime
    due: datetime
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


def reckon(schedule: Schedule, due: datetime) -> Reckoning:
    """What is due of a schedule that was due first at ``due``. Raises ZergError for a timing that cannot be read."""
    now = timezone.now()
    when = (schedule.kind, schedule.expression, schedule.timezone)
    upcoming = timing.next_times(*when, due, 1)
    if not upcoming or upcoming[0] > now:
        return Reckoning(schedule, now, due, [], False, due, upcoming[0] if upcoming else None)
    passed = [due, *takewhile(lambda one: one <= now, timing.next_times(*when, due, MOST_MISSED))]
    more = len(passed) > MOST_MISSED
    newest = timing.latest_time(*when, due, now) if more else passed[-1]
    missed = [one for one in passed[:MOST_MISSED] if one < newest]
    following = timing.next_times(*when, newest, 1)
    return Reckoning(schedule, now, due, missed, more, newest, following[0] if following else None)


def missed_rows(reckoning: Reckoning) -> list[Occurrence]:
    """The ledger's rows for the times before the newest, not saved yet."""
    return [_row(reckoning, missed, Occurrence.Outcome.MISSED, MISSED) for missed in reckoning.missed]


def newest_row(
    reckoning: Reckoning, outcome: Occurrence.Outcome, reason: str = "", run: Run | None = None
) -> Occurrence:
    """The ledger's row for the newest due time, not saved yet."""
    said = [reason]
    if outcome in LATE and reckoning.is_late:
        said.append(f"Zerg was off or too busy at the time, so it {LATE[outcome]} late.")
    if reckoning.more_missed:
        since = reckoning.missed[0].strftime("%Y-%m-%d %H:%M")
        said.append(f"More than {MOST_MISSED} times were missed since {since} UTC; the first {MOST_MISSED} are listed.")
    elif reckoning.missed:
        said.append(f"{len(reckoning.missed)} earlier times were missed.")
    return _row(reckoning, reckoning.newest, outcome, " ".join(filter(None, said)), run)


def _row(
    reckoning: Reckoning, scheduled_for: datetime, outcome: Occurrence.Outcome, reason: str, run: Run | None = None
) -> Occurrence:
    return Occurrence(
        schedule=reckoning.schedule,
        scheduled_for=scheduled_for,
        fired_at=reckoning.now,
        outcome=outcome,
        reason=reason[:300],
        lateness_seconds=round((reckoning.now - scheduled_for).total_seconds(), 3),
        run=run,
    )
