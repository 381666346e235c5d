"""Time zones: their names, and the days on which their clocks change."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from common.errors import ZergError

NOT_FOR_PEOPLE = {"Factory", "localtime"}


@functools.cache
def zone_names() -> frozenset[str]:
    """Every IANA name that a schedule may use."""
    return frozenset(available_timezones() - NOT_FOR_PEOPLE)


def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ZergError (field ``timezone``) that names what was probably meant."""
    if name in zone_names():
        return ZoneInfo(name)
    meant = _probably_meant(name)
    hint = f"Did you mean {meant}?" if meant else "Use a name such as Europe/Berlin, America/New_York or UTC."
    shown = f"“{name[:64]}”" if name.strip() else "An empty name"
    sentence = f"{shown} is no time zone. {hint}"
    raise ZergError("bad_schedule", sentence, {"timezone": sentence})


def _probably_meant(name: str) -> str:
    wanted = name.strip().lower().replace(" ", "_")[:64]
    by_lower = {known.lower(): known for known in sorted(zone_names())}
    by_city = {known.rpartition("/")[2].lower(): known for known in sorted(zone_names()) if "/" in known}
    city = wanted.rpartition("/")[2]
    found = by_lower.get(wanted) or by_city.get(wanted) or by_city.get(city)
    if found or not wanted:
        return found or ""
    close = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.7)
    if close:
        return by_lower[close[0]]
    close = difflib.get_close_matches(city, by_city, n=1, cutoff=0.8)
    return by_city[close[0]] if close else ""


@dataclass(frozen=True)
class ClockChange:
    """The moment at which a zone's clocks jump: they show ``before``, and then ``after`` (both wall time)."""

    before: datetime
    after: datetime

    @property
    def is_forward(self) -> bool:
        return self.after > self.before

    @property
    def hours(self) -> set[int]:
        """The hours of the day that are left out, or that come twice."""
        low, high = sorted((self.before, self.after))
        last = high - timedelta(seconds=1)
        return {low.hour, last.hour}


def next_change(where: ZoneInfo, start: datetime, end: datetime) -> ClockChange | None:
    """The change that sets the clocks at ``end`` apart from those at ``start`` (aware times); None when they agree."""
    low, high = start.astimezone(UTC), end.astimezone(UTC)
    old, new = _offset(where, low), _offset(where, high)
    if old == new:
        return None
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if _offset(where, middle) == old else (low, middle)
    # Zones change at whole minutes; the search ends within a second of one.
    moment = (high + timedelta(seconds=30)).replace(second=0, microsecond=0, tzinfo=None)
    return ClockChange(moment + old, moment + _offset(where, high))


def _offset(where: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(where).utcoffset() or timedelta()


def moments_of(wall: datetime, where: ZoneInfo) -> list[datetime]:
    """When, in UTC, clocks show ``wall`` (naive): once; twice where they go back; never where they jump over it."""
    first, second = _readings(wall, where)
    if first > second:
        return []
    return [first] if first == second else [first, second]


def moment_of(wall: datetime, where: ZoneInfo) -> datetime:
    """When, in UTC, clocks show ``wall`` (naive) first; if never, the first moment after what is left out."""
    first, second = _readings(wall, where)
    change = next_change(where, second, first) if first > second else None
    return change.after.replace(tzinfo=where).astimezone(UTC) if change else first


def _readings(wall: datetime, where: ZoneInfo) -> tuple[datetime, datetime]:
    """``wall`` by the clock before a change nearby and by the clock after it. The first is later only in what is left
    out (PEP 495)."""
    early, late = (wall.replace(tzinfo=where, fold=fold).astimezone(UTC) for fold in (0, 1))
    return early, late
