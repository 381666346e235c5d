"""When a schedule comes due. Preview, lists and the scheduler all ask ``next_times``, so they cannot differ.

A schedule's timing is three texts: ``kind`` (cron, interval, once), ``expression`` (five cron fields; seconds; an ISO
time) and ``timezone`` (an IANA name). Whatever is wrong with them is a ZergError ``bad_schedule`` whose ``fields`` name
``kind``, ``expression`` or ``timezone``. Times go in aware and come out in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import NoReturn
from zoneinfo import ZoneInfo

from cronsim import CronSim

from common.errors import ZergError
from triggers.cron_words import UNREADABLE, refusal, sentence_of, works_by_the_clock
from triggers.zones import ClockChange, next_change, zone

CRON, INTERVAL, ONCE = "cron", "interval", "once"
LONGEST_EXPRESSION = 200
SHORTEST_INTERVAL = 60
LONGEST_INTERVAL = 366 * 86_400
YEARS = range(1970, 2201)

UNITS = {
    "": 1, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86_400,
    "day": 86_400,
}  # fmt: skip
INTERVAL_TEXT = re.compile(r"(?:every )?([0-9]{1,12}) ?([a-z]*?)s?")


def next_times(kind: str, expression: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """The next ``count`` due times after ``after``, strictly later each. Fewer, or none, when no more are to come."""
    return list(islice(_due_times(kind, expression, timezone, after), count))


def latest_time(kind: str, expression: str, timezone: str, due: datetime, until: datetime) -> datetime:
    """The newest due time up to ``until`` of a schedule that was due at ``due``; ``due`` itself when none followed."""
    if kind == INTERVAL:
        step = _seconds(expression)
        return due + (until - due) // step * step
    for hours in (1, 24, 24 * 32, 24 * 400):
        start = max(due, until - timedelta(hours=hours))
        passed = list(takewhile(lambda time: time <= until, _due_times(kind, expression, timezone, start)))
        if passed:
            return passed[-1]
    return due


def check(kind: str, expression: str, timezone: str, after: datetime) -> str:
    """The expression as it is to be stored. Raises ZergError also for one that never comes after ``after``."""
    clean = normal(kind, expression, timezone)
    if not next_times(kind, clean, timezone, after, 1):
        if kind == ONCE:
            _refuse("That time is over. Give one that is still to come.")
        _refuse("No such day ever comes: the fields for the day and the weekday exclude each other.")
    return clean


@lru_cache(maxsize=1024)
def normal(kind: str, expression: str, timezone: str) -> str:
    """The expression with its accidental forms removed: ``15 minutes`` becomes ``900``."""
    where, text = zone(timezone), " ".join(expression.split())
    if not text:
        _refuse("Say when. For example 0 7 * * 1-5 means weekdays at 07:00.")
    if len(text) > LONGEST_EXPRESSION:
        _refuse(f"A schedule has at most {LONGEST_EXPRESSION} characters.")
    if kind == CRON:
        _cron(text, datetime.now(UTC), where)
        return text
    if kind == INTERVAL:
        return str(int(_seconds(text).total_seconds()))
    if kind == ONCE:
        return _moment(text).isoformat()
    message = f"“{kind[:20]}” is no kind of schedule. There are cron, interval and once."
    raise ZergError("bad_schedule", message, {"kind": message})


@lru_cache(maxsize=1024)
def describe(kind: str, expression: str, timezone: str) -> str:
    """What the schedule means, in words: ``At 07:00 on weekdays, Europe/Berlin``."""
    text = normal(kind, expression, timezone)
    if kind == INTERVAL:
        return _every(int(text))
    if kind == ONCE:
        return f"Once on {_first(text, zone(timezone)).astimezone(zone(timezone)):%A %-d %B %Y at %H:%M}, {timezone}"
    return f"{sentence_of(text)}, {timezone}"


def note(kind: str, expression: str, timezone: str, after: datetime, times: list[datetime]) -> str:
    """What a clock change does to ``times``, the due times that follow ``after``; empty when there is none."""
    where = zone(timezone)
    if kind == ONCE:
        return _note_once(normal(kind, expression, timezone), where)
    for earlier, later in zip([after, *times], times, strict=False):
        change = next_change(where, earlier, later)
        if change:
            return _note(change, expression if kind == CRON else "")
    return ""


def _note(change: ClockChange, cron: str) -> str:
    direction = "forward" if change.is_forward else "back"
    said = f"Clocks go {direction} on {change.before:%A %-d %B %Y}: {change.before:%H:%M} becomes {change.after:%H:%M}."
    if cron and works_by_the_clock(cron, change.hours):
        if change.is_forward:
            return f"{said} What falls into the time left out runs at {change.after:%H:%M}."
        return f"{said} What falls into the time that comes twice runs once, the first time."
    return said


def _note_once(expression: str, where: ZoneInfo) -> str:
    moment = _moment(expression)
    if moment.tzinfo is not None:
        return ""
    due = _first(expression, where).astimezone(where)
    if due.replace(tzinfo=None) != moment:
        return f"Clocks go forward that day, and {moment:%H:%M} does not come: it runs at {due:%H:%M}."
    if due.utcoffset() != due.replace(fold=1).utcoffset():
        return f"Clocks go back that day, and {moment:%H:%M} comes twice: it runs the first time."
    return ""


def _due_times(kind: str, expression: str, timezone: str, after: datetime) -> Iterator[datetime]:
    text, where = normal(kind, expression, timezone), zone(timezone)
    if after.year not in YEARS:
        message = f"Count from a time between the years {YEARS[0]} and {YEARS[-1]}."
        raise ZergError("bad_schedule", message, {"after": message})
    if kind == CRON:
        yield from _cron_times(text, after, where)
    elif kind == INTERVAL:
        due = after.astimezone(UTC).replace(microsecond=0)
        while True:
            due += _seconds(text)
            yield due
    elif _first(text, where) > after:
        yield _first(text, where)


def _cron_times(text: str, after: datetime, where: ZoneInfo) -> Iterator[datetime]:
    last = after.astimezone(UTC)
    for moment in _cron(text, after, where):
        due = moment.astimezone(UTC)
        # Counting from inside the hour that comes twice, the first of the two hours is offered again.
        if due > last:
            last = due
            yield due


def _cron(text: str, after: datetime, where: ZoneInfo) -> CronSim:
    if len(text.split()) != 5 or text.startswith("@"):
        _refuse(refusal(text))
    try:
        return CronSim(text, after.astimezone(where))
    except UNREADABLE:
        _refuse(refusal(text))


def _seconds(text: str) -> timedelta:
    match = INTERVAL_TEXT.fullmatch(text.lower())
    unit = UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        _refuse("Give the interval in seconds, such as 900, or as 15 minutes, 2 hours, 1 day.")
    seconds = int(match[1]) * unit
    if seconds < SHORTEST_INTERVAL:
        _refuse(f"Once a minute is the most often: give at least {SHORTEST_INTERVAL} seconds.")
    if seconds > LONGEST_INTERVAL:
        _refuse("An interval lasts a year at most. For less often, use cron or a single time.")
    return timedelta(seconds=seconds)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _refuse("Give the time as 2026-03-29T07:00; without an offset it is in the schedule's zone.")
    if moment.year not in YEARS:
        _refuse(f"Give a time between the years {YEARS[0]} and {YEARS[-1]}.")
    return moment.replace(microsecond=0)


def _first(text: str, where: ZoneInfo) -> datetime:
    """The moment of a single time in UTC. A wall time that a clock change leaves out becomes the first after it."""
    moment = _moment(text)
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    due = moment.replace(tzinfo=where).astimezone(UTC)
    change = next_change(where, due - timedelta(hours=3), due + timedelta(seconds=1))
    if change and change.is_forward and change.before <= moment < change.after:
        return change.after.replace(tzinfo=where).astimezone(UTC)
    return due


def _every(seconds: int) -> str:
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            number = seconds // size
            return f"Every {name}" if number == 1 else f"Every {number} {name}s"
    raise AssertionError("every whole number of seconds is divisible by 1")


def _refuse(sentence: str) -> NoReturn:
    raise ZergError("bad_schedule", sentence, {"expression": sentence})
