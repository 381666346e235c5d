"""What a timing means and when it comes, before anything is saved and for what is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from django.utils import timezone as clock

from triggers import timing as times
from triggers.expressions import span_of
from triggers.models import Schedule
from triggers.timing import Timing
from triggers.words import read

SHOWN = 5
MONTH = timedelta(days=30)


def preview(
    kind: str = times.CRON,
    expression: str = "",
    timezone: str = "UTC",
    after: datetime | None = None,
    *,
    words: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    most_runs: int | None = None,
    spread_seconds: int = 0,
    saved: Schedule | None = None,
) -> dict[str, Any]:
    """What a timing means and its next five times: ``{sentence, kind, expression, timezone, next, note,
    runs_per_month}``.

    ``words`` ("every weekday at 7") stand for ``kind`` and ``expression``, which the answer then has. ``next`` holds
    ISO times in UTC with ``Z``; ``runs_per_month`` counts the due times of the next 30 days. ``saved`` is the schedule
    that is being edited: as long as its timing is the same, its times are shown to the second. Raises
    ZergError(``bad_schedule``) as saving would.
    """
    start = after or clock.now()
    if words.strip():
        kind, expression = read(words, timezone, start)
    wanted = Timing(kind, expression, timezone, starts_at, ends_at, runs_left=most_runs)
    wanted = replace(wanted, expression=times.normal(kind, expression, timezone))
    if saved is not None:
        wanted = _as_saved(wanted, saved, most_runs, spread_seconds)
    times.check(wanted, start)
    shown = times.next_times(wanted, start, SHOWN)
    note = times.note(wanted, start, shown)
    if spread_seconds and not wanted.offset_seconds and kind != times.ONCE:
        note = f"{note} Each comes up to {span_of(timedelta(seconds=spread_seconds))} later, always as much.".strip()
    return {
        "sentence": times.describe(wanted),
        "kind": kind,
        "expression": wanted.expression,
        "timezone": timezone,
        "next": [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in shown],
        "note": note,
        "runs_per_month": runs_within(wanted, start, MONTH),
    }


def preview_of(schedule: Schedule, after: datetime | None = None) -> dict[str, Any]:
    """The same of a schedule as it is saved: the very times at which it will be due."""
    return preview(schedule.kind, schedule.expression, schedule.timezone, after, **bounds_of(schedule))


def bounds_of(schedule: Schedule | None) -> dict[str, Any]:
    """What ``preview`` takes besides kind, expression and zone, as it is saved."""
    if schedule is None:
        return {}
    names = ("starts_at", "ends_at", "most_runs", "spread_seconds")
    return {"saved": schedule, **{name: getattr(schedule, name) for name in names}}


def runs_within(timing: Timing, start: datetime, length: timedelta) -> int:
    """How often it comes due after ``start``, within ``length``: at most once a minute, so a month has some 40,000."""
    end = (start + length).astimezone(UTC)
    return sum(1 for _ in takewhile(lambda time: time <= end, times.due_times(timing, start)))


def _as_saved(wanted: Timing, saved: Schedule, most_runs: int | None, spread_seconds: int) -> Timing:
    left = None if most_runs is None else max(0, most_runs - saved.runs_made)
    same = replace(saved.timing, runs_left=left)
    is_same = replace(wanted, offset_seconds=saved.offset_seconds) == same and spread_seconds == saved.spread_seconds
    return same if is_same else replace(wanted, runs_left=left)
