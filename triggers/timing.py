"""When a schedule comes due. Preview, lists, forecast and the scheduler all ask ``next_times``, so they cannot differ.

Whatever is wrong with a timing is a ZergError ``bad_schedule`` whose ``fields`` name what it is about: ``kind``,
``expression``, ``timezone``, ``starts_at``, ``ends_at`` or ``most_runs``. Times go in aware and come out in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from django.conf import settings

from common.errors import ZergError
from triggers.cron import cron
from triggers.cron_words import sentence_of, works_by_the_clock
from triggers.expressions import YEARS, refuse, seconds_of, single, single_moment, span, span_of
from triggers.zones import ClockChange, next_change, zone

CRON, INTERVAL, ONCE = "cron", "interval", "once"
LONGEST_EXPRESSION = 200
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Timing:
    """When something comes due, as it is stored or about to be.

    ``expression`` is five cron fields, seconds, or an ISO time, by ``kind``; ``timezone`` an IANA name. Nothing comes
    before ``starts_at`` or after ``ends_at``, both included; an interval counts from ``starts_at``, else from
    ``anchor``, its next time when it runs already, else from when one asks. Each time of cron and of an interval is
    ``offset_seconds`` later than it says; start and end are about what it says. ``runs_left``: so many are to come.
    """

    kind: str
    expression: str
    timezone: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    offset_seconds: int = 0
    runs_left: int | None = field(default=None, compare=False)
    anchor: datetime | None = field(default=None, compare=False)

    @property
    def offset(self) -> timedelta:
        return timedelta(seconds=0 if self.kind == ONCE else self.offset_seconds)

    @property
    def end(self) -> datetime | None:
        """The last moment at which it can be due."""
        return self.ends_at and self.ends_at + self.offset


def next_times(timing: Timing, after: datetime, count: int) -> list[datetime]:
    """The next ``count`` due times after ``after``, strictly later each. Fewer, or none, when no more are to come."""
    return list(islice(due_times(timing, after), count))


def due_times(timing: Timing, after: datetime) -> Iterator[datetime]:
    """The due times after ``after``, one by one: for ever, unless the timing ends."""
    if after.year not in YEARS:
        message = f"Count from a time between the years {YEARS[0]} and {YEARS[-1]}."
        raise ZergError("bad_schedule", message, {"after": message})
    text = normal(timing.kind, timing.expression, timing.timezone)
    offset, end = timing.offset, timing.ends_at
    said = _said_times(timing, text, after - offset)
    until = datetime.max.replace(tzinfo=UTC) if end is None else end
    return islice((time + offset for time in takewhile(lambda time: time <= until, said)), timing.runs_left)


def latest_time(timing: Timing, due: datetime, until: datetime) -> datetime:
    """The newest due time up to ``until`` of a schedule that was due at ``due``; ``due`` itself when none followed."""
    until = min(until, timing.end or until)
    if timing.kind == INTERVAL:
        step = timedelta(seconds=seconds_of(timing.expression))
        return due + max(0, (until - due) // step) * step
    if timing.kind == ONCE:
        return due
    found = cron(timing.expression).latest(due - timing.offset, until - timing.offset, zone(timing.timezone))
    return found + timing.offset if found else due


def check(timing: Timing, after: datetime) -> str:
    """The expression as it is to be stored. Raises ZergError also for what never comes after ``after``, and for what
    comes more often than the operator allows."""
    clean = normal(timing.kind, timing.expression, timing.timezone)
    _check_gaps(timing.kind, clean)
    if timing.starts_at and timing.ends_at and timing.ends_at < timing.starts_at:
        refuse("It would end before it starts.", "ends_at")
    if not next_times(timing, after, 1):
        _refuse_what_never_comes(timing, after)
    return clean


@lru_cache(maxsize=4096)
def normal(kind: str, expression: str, timezone: str) -> str:
    """The expression with its accidental forms removed: ``15 minutes`` becomes ``900``."""
    where, text = zone(timezone), " ".join(expression.split())
    if not text:
        refuse("Say when. For example 0 7 * * 1-5 means weekdays at 07:00.")
    if len(text) > LONGEST_EXPRESSION:
        refuse(f"A schedule has at most {LONGEST_EXPRESSION} characters.")
    if kind == CRON:
        never = not next(cron(text).times(datetime.now(UTC), where), None)
        if never:
            refuse("No such day ever comes: the fields for the day and the weekday exclude each other.")
        return text
    if kind == INTERVAL:
        return str(seconds_of(text))
    if kind == ONCE:
        return single(text).isoformat()
    message = f"“{kind[:20]}” is no kind of schedule. There are cron, interval and once."
    raise ZergError("bad_schedule", message, {"kind": message})


def describe(timing: Timing) -> str:
    """What it means, in words: ``At 07:00 on weekdays, Europe/Berlin, until 1 May 2026 at 00:00``."""
    said, where = _describe(timing.kind, timing.expression, timing.timezone), zone(timing.timezone)
    for word, moment in (("from", timing.starts_at), ("until", timing.ends_at)):
        if moment is not None and timing.kind != ONCE:
            said += f", {word} {moment.astimezone(where):%-d %B %Y at %H:%M}"
    return said


def note(timing: Timing, after: datetime, times: list[datetime]) -> str:
    """What a clock change and the offset do to ``times``, the due times that follow ``after``; empty: nothing."""
    where, said = zone(timing.timezone), ""
    if timing.kind == ONCE:
        return _note_once(normal(timing.kind, timing.expression, timing.timezone), where)
    for earlier, later in zip([after, *times], times, strict=False):
        change = next_change(where, earlier, later)
        if change:
            said = _note(change, timing.expression if timing.kind == CRON else "")
            break
    if timing.offset_seconds and times:
        moved = f"Each is {span_of(timing.offset)} later, so that not all schedules come at once."
        said = f"{said} {moved}".strip()
    return said


def _said_times(timing: Timing, text: str, after: datetime) -> Iterator[datetime]:
    """The times as the timing says them, without its end and its offset."""
    where, start = zone(timing.timezone), timing.starts_at
    if timing.kind == INTERVAL:
        return _interval_times(timing, timedelta(seconds=int(text)), after)
    if timing.kind == ONCE:
        moment = single_moment(text, where)
        return iter([moment] if moment > after and (start is None or moment >= start) else [])
    return cron(text).times(max(after, start - SECOND) if start else after, where)


def _interval_times(timing: Timing, step: timedelta, after: datetime) -> Iterator[datetime]:
    first = timing.starts_at or (timing.anchor - timing.offset if timing.anchor else None)
    if first is None:
        first = after + timing.offset + step
    due = first.astimezone(UTC).replace(microsecond=0)
    if due <= after:
        due += ((after - due) // step + 1) * step
    while True:
        yield due
        due += step


def _check_gaps(kind: str, text: str) -> None:
    least = timedelta(seconds=settings.LEAST_INTERVAL_SECONDS)
    if kind == ONCE:
        return
    gap = timedelta(seconds=int(text)) if kind == INTERVAL else cron(text).least_gap(least)
    if gap < least:
        comes = f"This comes {span_of(gap)} after the time before"
        refuse(f"{comes}; here at least {span_of(least)} must lie between two times.")


def _refuse_what_never_comes(timing: Timing, after: datetime) -> None:
    if timing.runs_left is not None and timing.runs_left <= 0:
        refuse("It has run as often as it may. Allow more runs, or leave the number empty.", "most_runs")
    if timing.kind == ONCE:
        moment = single_moment(timing.expression, zone(timing.timezone))
        if moment <= after:
            refuse("That time is over. Give one that is still to come.")
        is_early = timing.starts_at is not None and moment < timing.starts_at
        refuse(f"That time lies {'before the start' if is_early else 'after the end'}.")
    if timing.end is not None and timing.end <= after:
        refuse("Its end is over. Give one that is still to come.", "ends_at")
    refuse("It would end before its first time.", "ends_at")


@lru_cache(maxsize=1024)
def _describe(kind: str, expression: str, timezone: str) -> str:
    text = normal(kind, expression, timezone)
    if kind == INTERVAL:
        return f"Every {span(int(text))}"
    if kind == ONCE:
        where = zone(timezone)
        return f"Once on {single_moment(text, where).astimezone(where):%A %-d %B %Y at %H:%M}, {timezone}"
    return f"{sentence_of(text)}, {timezone}"


def _note(change: ClockChange, cron_text: str) -> str:
    direction = "forward" if change.is_forward else "back"
    said = f"Clocks go {direction} on {change.before:%A %-d %B %Y}: {change.before:%H:%M} becomes {change.after:%H:%M}."
    if cron_text and works_by_the_clock(cron_text, change.hours):
        if change.is_forward:
            return f"{said} What falls into the time left out runs at {change.after:%H:%M}."
        return f"{said} What falls into the time that comes twice runs once, the first time."
    return said


def _note_once(expression: str, where: ZoneInfo) -> str:
    moment = single(expression)
    if moment.tzinfo is not None:
        return ""
    due = single_moment(expression, where).astimezone(where)
    if due.replace(tzinfo=None) != moment:
        return f"Clocks go forward that day, and {moment:%H:%M} does not come: it runs at {due:%H:%M}."
    if due.utcoffset() != due.replace(fold=1).utcoffset():
        return f"Clocks go back that day, and {moment:%H:%M} comes twice: it runs the first time."
    return ""
