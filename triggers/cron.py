"""The times of cron text. cronsim reads the text; the times are counted here, day by day.

So they are the same from wherever one begins to count. With cronsim's own loop they are not, in zones whose clocks
change by a fraction of an hour, or at one.

As with Debian's cron, fixed times (``30 2 * * *``) come once on a day on which clocks change: what is left out comes at
the first moment after, what comes twice the first time. With ``*`` for the minute or the hour it goes on counting.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

from triggers.cron_words import UNREADABLE, refusal
from triggers.expressions import refuse
from triggers.zones import moment_of, moments_of

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
FIVE_FIELDS = 5
MOST_YEARS = 50
"""A text that matches no day of so many years never comes: 29 February on a Monday takes 28, at most 40."""


class Cron:
    """Five fields of cron, taken apart."""

    def __init__(self, text: str) -> None:
        fields = CronSim(text, datetime.now(UTC))
        self.months: set[int] = fields.months
        self.minutes: list[int] = sorted(60 * hour + minute for hour in fields.hours for minute in fields.minutes)
        self.counts_on = any(part.startswith("*") for part in text.split()[:2])
        self._fields = fields

    def times(self, after: datetime, where: ZoneInfo) -> Iterator[datetime]:
        """The times after ``after``, in UTC, each strictly later than the one before."""
        last = after.astimezone(UTC)
        for day in self._days(after.astimezone(where).date() - DAY):
            for moment in self._moments(day, where, last):
                if moment > last:
                    last = moment
                    yield moment

    def latest(self, after: datetime, until: datetime, where: ZoneInfo) -> datetime | None:
        """The last time up to ``until``, None when there is none after ``after``."""
        day, first = until.astimezone(where).date() + DAY, after.astimezone(where).date() - DAY
        while day >= first:
            if self._comes_on(day):
                passed = [moment for moment in self._moments(day, where, after) if moment <= until]
                if passed:
                    return passed[-1]
            day -= DAY
        return None

    def least_gap(self, asked: timedelta) -> timedelta:
        """The shortest time from one to the next, as clocks show it; of several above ``asked`` any one."""
        gaps = [later - earlier for earlier, later in zip(self.minutes, self.minutes[1:], strict=False)]
        shortest = timedelta(minutes=min(gaps, default=24 * 60))
        over_night = timedelta(minutes=24 * 60 + self.minutes[0] - self.minutes[-1])
        if over_night < min(asked, shortest) and self._comes_on_two_days():
            return over_night
        return shortest

    def _comes_on_two_days(self) -> bool:
        """Whether it comes on two days, one after the other. After 28 years, calendars begin again."""
        days = self._days(date(2001, 1, 1))
        before = next(days, None)
        for day in days:
            if before is not None and day - before == DAY:
                return True
            if day.year > 2001 + 28:
                break
            before = day
        return False

    def _days(self, start: date) -> Iterator[date]:
        """The days on which it comes, from ``start``. They end after MOST_YEARS without one."""
        day = found = start
        while day.year - found.year <= MOST_YEARS:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
                continue
            if self._fields.match_day(day):
                found = day
                yield day
            day += DAY

    def _comes_on(self, day: date) -> bool:
        return day.month in self.months and bool(self._fields.match_day(day))

    def _moments(self, day: date, where: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Its times of one day after ``after``, in order; what has passed costs nothing."""
        midnight = datetime.combine(day, time())
        start = moment_of(midnight, where)
        if moment_of(midnight + DAY, where) - start == DAY:  # no change: nearly always
            to_come = islice(self.minutes, bisect_right(self.minutes, (after - start) // MINUTE), None)
            return (start + timedelta(minutes=minute) for minute in to_come)
        moments = _on_a_day_of_change(self, midnight, where)
        return iter(moments[bisect_right(moments, after) :])


@lru_cache(maxsize=1024)
def _on_a_day_of_change(text: Cron, midnight: datetime, where: ZoneInfo) -> list[datetime]:
    walls = [midnight + timedelta(minutes=minute) for minute in text.minutes]
    if text.counts_on:
        return sorted({moment for wall in walls for moment in moments_of(wall, where)})
    return sorted({moment_of(wall, where) for wall in walls})


@lru_cache(maxsize=4096)
def cron(text: str) -> Cron:
    """Raises ZergError with what is wrong with ``text``."""
    if len(text.split()) != FIVE_FIELDS or text.startswith("@"):
        refuse(refusal(text))
    try:
        return Cron(text)
    except UNREADABLE:
        refuse(refusal(text))
