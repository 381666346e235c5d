"""What stands in a schedule's expression besides cron: intervals in seconds, and single times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

from common.errors import ZergError
from triggers.zones import moment_of

SHORTEST_INTERVAL = 60
LONGEST_INTERVAL = 366 * 86_400
YEARS = range(1970, 2201)

UNITS = {
    "": 1, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600,
    "d": 86_400, "day": 86_400, "w": 7 * 86_400, "week": 7 * 86_400,
}  # fmt: skip
INTERVAL_TEXT = re.compile(r"(?:every )?([0-9]{1,12}) ?([a-z]*?)s?")


def seconds_of(text: str) -> int:
    """The seconds of an interval: ``900``, ``15 minutes``, ``every 2 hours``."""
    match = INTERVAL_TEXT.fullmatch(text.lower())
    unit = UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        refuse("Give the interval in seconds, such as 900, or as 15 minutes, 2 hours, 1 day.")
    seconds = int(match[1]) * unit
    if seconds < SHORTEST_INTERVAL:
        refuse(f"Once a minute is the most often: give at least {SHORTEST_INTERVAL} seconds.")
    if seconds > LONGEST_INTERVAL:
        refuse("An interval lasts a year at most. For less often, use cron or a single time.")
    return seconds


def single(text: str) -> datetime:
    """A single time as it is written: with an offset, or as the clocks of the schedule's zone show it (naive)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse("Give the time as 2026-03-29T07:00; without an offset it is in the schedule's zone.")
    if moment.year not in YEARS:
        refuse(f"Give a time between the years {YEARS[0]} and {YEARS[-1]}.")
    return moment.replace(microsecond=0)


def single_moment(text: str, where: ZoneInfo) -> datetime:
    """The same in UTC. A time that a clock change leaves out becomes the first after it."""
    moment = single(text)
    return moment_of(moment, where) if moment.tzinfo is None else moment.astimezone(UTC)


def span(seconds: int) -> str:
    """``15 minutes``, ``hour``, ``2 days``: in the largest unit that leaves no rest, and one without its number."""
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            number = seconds // size
            return name if number == 1 else f"{number} {name}s"
    raise AssertionError("every whole number of seconds is divisible by 1")


def span_of(length: timedelta) -> str:
    """The same with the number: ``1 hour``."""
    said = span(int(length.total_seconds()))
    return said if said[0].isdigit() else f"1 {said}"


def refuse(sentence: str, field: str = "expression") -> NoReturn:
    raise ZergError("bad_schedule", sentence, {field: sentence})
