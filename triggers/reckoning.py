"""What is due of a schedule at a moment, and how the ledger says what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.utils import timezone

from runs.models import Run
from triggers import timing
from triggers.models import Occurrence, Schedule
from triggers.timing import Timing

MOST_MISSED = 100
"""So many missed times get a row each; the newest due time says that there were more."""

LATE = {Occurrence.Outcome.RAN: "ran", Occurrence.Outcome.CHECKING: "looked"}
MISSED = "Zerg was off or too busy at this time."


@dataclass(frozen=True)
class Passed:
    """The due times that have come: the oldest ``first`` (MOST_MISSED at most), and the ``newest`` ones, in order."""

    first: list[datetime]
    newest: list[datetime]
    more: bool
    """There are others between the two."""
    following: datetime | None


@dataclass(frozen=True)
class Reckoning:
    """A schedule as it stood when it was looked at, ``now``: the time ``due`` that it was found with, the times
    ``missed`` since, those for which it may run now (in order; the last is the newest), and the one that follows."""

    schedule: Schedule
    now: datetime
    due: datetime
    missed: list[datetime]
    more_missed: bool
    times: list[datetime]
    following: datetime | None

    @property
    def newest(self) -> datetime:
        return self.times[-1]

    def is_late(self, due: datetime) -> bool:
        return _lateness(self.now, due) > max(60.0, 3 * settings.TICK_SECONDS)


def when(schedule: Schedule) -> Timing:
    """Its timing, however many runs it has left: times that are skipped do not count among them."""
    return replace(schedule.timing, runs_left=None)


def next_time(schedule: Schedule, after: datetime) -> datetime | None:
    """Its first due time after ``after``; None when no more is to come."""
    return next(iter(timing.next_times(when(schedule), after, 1)), None)


def reckon(schedule: Schedule, due: datetime) -> Reckoning:
    """What is due of a schedule that was due first at ``due``. Raises ZergError for a timing that cannot be read."""
    now = timezone.now()
    runs_all = schedule.missed_policy == Schedule.Missed.ALL
    passed = passed_since(schedule, due, now, newest=max(1, schedule.missed_limit) if runs_all else 1)
    return Reckoning(schedule, now, due, passed.first, passed.more, passed.newest, passed.following)


def passed_since(schedule: Schedule, due: datetime, now: datetime, *, newest: int = 1) -> Passed:
    """The due times from ``due`` up to ``now``, of which the last ``newest`` stand apart; ``due`` always is one.

    Raises ZergError for a timing that cannot be read.
    """
    # Nearly always there is none but itself, and that takes one step.
    following = next_time(schedule, due)
    if following is None or following > now:
        return Passed([], [due], False, following)
    times = [due, *islice(_times(schedule, due, now), MOST_MISSED + newest)]
    more = len(times) > MOST_MISSED + newest
    last = _last_times(schedule, due, now, newest) if more else times[-newest:]
    first = [time for time in times[:MOST_MISSED] if time < last[0]]
    return Passed(first, last, more, next_time(schedule, last[-1]))


def _times(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Due times after ``after`` up to ``until``, without computing those of years for one."""
    while True:
        some = timing.next_times(when(schedule), after, 50)
        for time in some:
            if time > until:
                return
            yield time
        if len(some) < 50:
            return
        after = some[-1]


def _last_times(schedule: Schedule, due: datetime, until: datetime, count: int) -> list[datetime]:
    """The last ``count`` due times up to ``until`` of a schedule that was due at ``due``."""
    hours = 1
    while True:
        # Counted from a due time, so that an interval keeps its rhythm.
        start = timing.latest_time(when(schedule), due, max(due, until - timedelta(hours=hours)))
        times = [start, *_times(schedule, start, until)]
        if len(times) >= count or start <= due:
            return times[-count:]
        hours *= 24


def missed_rows(reckoning: Reckoning) -> list[Occurrence]:
    """The ledger's rows for the times that are not made up for, not saved yet."""
    reason = MISSED
    if reckoning.schedule.missed_policy == Schedule.Missed.ALL:
        limit = len(reckoning.times)
        reason = f"More than {limit} times were missed, and only the newest {limit} are made up for."
    return [row(reckoning, missed, Occurrence.Outcome.MISSED, reason) for missed in reckoning.missed]


def row(
    reckoning: Reckoning, due: datetime, outcome: Occurrence.Outcome, reason: str = "", run: Run | None = None
) -> Occurrence:
    """The ledger's row for a due time, not saved yet. The newest one's says what else was missed."""
    said = [reason]
    if outcome in LATE and reckoning.is_late(due):
        said.append(f"Zerg was off or too busy at the time, so it {LATE[outcome]} late.")
    if due == reckoning.newest and reckoning.more_missed:
        since = reckoning.missed[0].strftime("%Y-%m-%d %H:%M")
        said.append(f"More than {MOST_MISSED} times were missed since {since} UTC; the first {MOST_MISSED} are listed.")
    elif due == reckoning.newest and reckoning.missed:
        count = len(reckoning.missed)
        said.append("One earlier time was missed." if count == 1 else f"{count} earlier times were missed.")
    return bare_row(reckoning.schedule, due, outcome, " ".join(filter(None, said)), at=reckoning.now, run=run)


def bare_row(
    schedule: Schedule, due: datetime, outcome: Occurrence.Outcome, reason: str, *, at: datetime, run: Run | None = None
) -> Occurrence:
    """The same with nothing added."""
    return Occurrence(
        schedule=schedule,
        scheduled_for=due,
        fired_at=at,
        outcome=outcome,
        reason=reason[:300],
        lateness_seconds=_lateness(at, due),
        run=run,
    )


def skipped_rows(schedule: Schedule, since: datetime, until: datetime, reason: str) -> Sequence[Occurrence]:
    """Rows for the due times from ``since`` up to ``until`` at which there was to be no run, not saved yet."""
    passed = passed_since(schedule, since, until)
    times = [*passed.first, *passed.newest]
    rows = [bare_row(schedule, due, Occurrence.Outcome.SKIPPED, reason, at=until) for due in times if due <= until]
    if passed.more:
        rows[
            -1
        ].reason = f"{reason} So were more times since {since:%Y-%m-%d %H:%M} UTC; the first {MOST_MISSED} are listed."
    return rows


def _lateness(now: datetime, due: datetime) -> float:
    return round((now - due).total_seconds(), 3)
