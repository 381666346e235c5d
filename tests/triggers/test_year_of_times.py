"""A year of due times, over many zones: whoever counts, from wherever, counts the same."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from random import Random
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from triggers.timing import Timing, due_times, latest_time, next_times

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Auckland",
    "Africa/Cairo", "America/Havana", "America/St_Johns", "America/Santiago", "Pacific/Chatham", "Africa/Casablanca",
]  # fmt: skip
START, END = datetime(2027, 12, 20, 10, tzinfo=UTC), datetime(2029, 1, 3, tzinfo=UTC)
"""Both clock changes of every zone, and 29 February 2028, lie between."""

TIMINGS = {
    "cron": [
        "30 2 * * *", "0,30 2,3 * * *", "0 0 * * *", "45 23 * * 6", "0 5 29 2 *", "0 0 L * *", "0 9 * * 1#1",
        "0 */2 * * *", "*/7 */3 * * *", "*/20 1 * * *", "15 * * * *",
    ],
    "interval": ["5400", "86400"],
}  # fmt: skip
CASES = [(kind, text) for kind, texts in TIMINGS.items() for text in texts]


def _of(kind: str, text: str, zone: str) -> Timing:
    return Timing(kind, text, zone, starts_at=START, ends_at=END, offset_seconds=77)


@pytest.mark.parametrize("zone", ZONES)
def test_from_any_moment_of_a_year_the_same_times_follow(zone: str) -> None:
    moments = [*_moments(Random(zone)), *_moments_at_changes(zone)]
    for kind, text in CASES:
        timing = _of(kind, text, zone)
        year = next_times(timing, START - timedelta(days=9), 100_000)
        assert all(earlier < later for earlier, later in pairwise(year))
        for moment in moments:
            place = bisect_right(year, moment)
            assert next_times(timing, moment, 3) == year[place : place + 3], (text, moment)


@pytest.mark.parametrize("zone", ZONES)
def test_met_one_by_one_they_are_those_that_were_previewed_at_once(zone: str) -> None:
    for kind, text in CASES:
        timing = _of(kind, text, zone)
        previewed = next_times(timing, START, 300)
        met: list[datetime] = []
        while len(met) < len(previewed):
            met += next_times(timing, met[-1] if met else START, 1)
        assert met == previewed


@pytest.mark.parametrize("zone", ZONES)
def test_after_any_absence_the_newest_time_is_the_last_that_passed(zone: str) -> None:
    chance = Random(zone)
    for kind, text in CASES:
        timing = _of(kind, text, zone)
        year = next_times(timing, START, 100_000)
        for _ in range(12):
            began, ended = sorted(chance.sample(range(len(year)), 2)) if len(year) > 1 else (0, 0)
            until = year[ended] + timedelta(seconds=chance.randrange(60))
            assert latest_time(timing, year[began], until) == year[ended]
        assert latest_time(timing, year[0], END + timedelta(days=900)) == year[-1]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
def test_where_clocks_change_by_hours_the_times_are_those_of_cronsim(zone: str) -> None:
    for text in TIMINGS["cron"]:
        times = list(takewhile(lambda time: time < END, due_times(Timing("cron", text, zone), START)))
        local = takewhile(lambda time: time.astimezone(UTC) < END, CronSim(text, START.astimezone(ZoneInfo(zone))))
        theirs = [time.astimezone(UTC) for time in local]
        assert times == sorted(set(theirs))


def _moments(chance: Random) -> list[datetime]:
    seconds = int((END - START).total_seconds())
    return [START + timedelta(seconds=chance.randrange(-86_400, seconds)) for _ in range(25)]


def _moments_at_changes(zone: str) -> list[datetime]:
    """Every twenty minutes around each change of the zone's clocks."""
    where, hours = ZoneInfo(zone), [START + timedelta(hours=hour) for hour in range(24 * 380)]
    offsets = [hour.astimezone(where).utcoffset() for hour in hours]
    changes = [hour for hour, (old, new) in zip(hours, pairwise(offsets), strict=False) if old != new]
    return [change + timedelta(minutes=minute) for change in changes for minute in range(-120, 240, 20)]
