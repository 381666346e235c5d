"""Days in words: those on which something is repeated, and single ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from triggers.word_tokens import Tokens

WEEKDAY_NAMES = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
WEEKDAYS = {
    written: number
    for number, name in enumerate(WEEKDAY_NAMES)
    for written in (name, f"{name}s", name[:3], name[:4], {"tuesday": "tues", "thursday": "thurs"}.get(name, name))
    if written != "satu"
}
MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
MONTHS = {
    written: number
    for number, name in enumerate(MONTH_NAMES, 1)
    for written in (name, name[:3], "sept" if name == "september" else name)
}
SEVERAL = {
    "weekday": {1, 2, 3, 4, 5}, "weekdays": {1, 2, 3, 4, 5}, "workday": {1, 2, 3, 4, 5}, "workdays": {1, 2, 3, 4, 5},
    "weekend": {0, 6}, "weekends": {0, 6},
}  # fmt: skip
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
SUFFIXES = ("st", "nd", "rd", "th")
HALF_OF = {"morning": "am", "mornings": "am", "afternoon": "pm", "evening": "pm", "evenings": "pm", "night": "pm"}
EVERY = ("every", "each", "on", "the", "all")
TO = ("to", "-", "through", "until", "till")
LEAP_YEAR = date(2028, 1, 1)
CHOSEN = "say on which day, such as “monthly on the 1st at 9” or “weekly on monday at 9”"


@dataclass
class Days:
    """The days of a cron line. Nothing at all means each day."""

    weekdays: set[int] = field(default_factory=set)
    nth: list[tuple[int, int]] = field(default_factory=list)
    of_month: list[str] = field(default_factory=list)
    months: set[int] = field(default_factory=set)
    daily: bool = False
    half: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.weekdays or self.nth or self.of_month or self.daily)

    @property
    def cron(self) -> str:
        """Day, month and weekday."""
        names = [*_ranges(self.weekdays), *(f"{day}L" if nth < 0 else f"{day}#{nth}" for day, nth in self.nth)]
        months = ",".join(map(str, sorted(self.months)))
        if self.daily or len(self.weekdays) == 7:
            return f"* {_or_star(months)} *"
        return f"{_or_star(','.join(self.of_month))} {_or_star(months)} {_or_star(','.join(names))}"


def take_days(tokens: Tokens) -> Days | None:
    """The days that come next: each of them, of the months that follow; None when there are none."""
    days, here = Days(), tokens.at
    while True:
        before = tokens.at
        tokens.skip("and", *EVERY)
        if not _take_day(tokens, days):
            tokens.at = before
            break
    if days.is_empty:
        tokens.at = here
        return None
    _take_months(tokens, days)
    if days.of_month and days.nth:
        tokens.refuse("A day of the month and a weekday of the month are two schedules: make one for each.")
    return days


def take_date(tokens: Tokens, local: datetime) -> date | None:
    """A single day: “tomorrow”, “24 december”, “next friday”, “2026-12-24”."""
    here, today = tokens.at, local.date()
    tokens.skip("on", "the")
    word = tokens.peek()
    if word in {"today", "tonight"}:
        tokens.at += 1
        return today
    if word == "tomorrow":
        tokens.at += 1
        return today + timedelta(days=1)
    if tokens.peek() == "day" and (tokens.peek(1), tokens.peek(2)) == ("after", "tomorrow"):
        tokens.at += 3
        return today + timedelta(days=2)
    if word in {"next", "this"} and tokens.peek(1) in WEEKDAYS:
        tokens.at += 2
        return _next_weekday(today, WEEKDAYS[tokens.peek(-1)])
    found = _iso_date(tokens) or _month_and_day(tokens, today)
    if found is None:
        tokens.at = here
    return found


def take_day_of_year(tokens: Tokens) -> str | None:
    """The day and month of a cron line: “every 24 december”, “yearly on 1 january”."""
    if not tokens.take("yearly", "annually"):
        if not tokens.take("every", "each"):
            return None
        tokens.take("year")
    tokens.skip("and", "on", "the")
    found = _month_and_day(tokens, LEAP_YEAR)
    return f"{found.day} {found.month} *" if found else None


def _take_day(tokens: Tokens, days: Days) -> bool:
    word = tokens.peek()
    if word in {"daily", "day", "days"}:
        tokens.at += 1
        days.daily = True
    elif word in HALF_OF:
        tokens.at += 1
        days.half = HALF_OF[word]
        days.daily = days.is_empty
    elif word in SEVERAL:
        tokens.at += 1
        days.weekdays |= SEVERAL[word]
    elif word in WEEKDAYS:
        tokens.at += 1
        days.weekdays |= _through(tokens, WEEKDAYS[word])
    elif word in {"monthly", "weekly", "month", "week"}:
        return _take_period(tokens, days, word)
    elif word in ORDINALS:
        _take_ordinals(tokens, days)
    else:
        return _take_of_month(tokens, days)
    return True


def _take_period(tokens: Tokens, days: Days, word: str) -> bool:
    """“monthly on the 1st”, “every week on monday”: the day is to follow, and is all that counts."""
    tokens.at += 1
    tokens.skip("and", *EVERY)
    if word.startswith("week") and tokens.peek() not in {*WEEKDAYS, *SEVERAL}:
        tokens.refuse_next(CHOSEN)
    if not _take_day(tokens, days):
        tokens.refuse_next(CHOSEN)
    return True


def _take_ordinals(tokens: Tokens, days: Days) -> None:
    """“first and third monday”, “last day”, “last weekday”, each perhaps with “of the month”."""
    which = []
    while word := tokens.take(*ORDINALS):
        which.append(ORDINALS[word])
        if tokens.peek() == "and" and tokens.peek(1) in ORDINALS:
            tokens.at += 1
    if tokens.take("day", "days") or (tokens.peek() == "of" and "month" in (tokens.peek(1), tokens.peek(2))):
        days.of_month += ["L" if number < 0 else str(number) for number in which]
    elif which == [-1] and tokens.take("weekday", "workday"):
        days.of_month.append("LW")
    elif name := tokens.take(*WEEKDAYS):
        names = [WEEKDAYS[name]]
        while tokens.peek() == "and" and tokens.peek(1) in WEEKDAYS:
            names.append(WEEKDAYS[tokens.peek(1)])
            tokens.at += 2
        days.nth += [(weekday, number) for number in which for weekday in names]
    else:
        tokens.refuse_next("say which day of the month, such as “first monday” or “last day”")
    _take_of_the_month(tokens)


def _take_of_month(tokens: Tokens, days: Days) -> bool:
    """“1st”, “15th of the month”."""
    word = tokens.peek()
    if not (word.isascii() and word.isdigit() and tokens.peek(1) in SUFFIXES):
        return False
    if not 1 <= int(word[:9]) <= 31:
        tokens.refuse(f"A month has no day {word[:9]}.")
    tokens.at += 2
    days.of_month.append(str(int(word)))
    _take_of_the_month(tokens)
    return True


def _take_of_the_month(tokens: Tokens) -> None:
    here = tokens.at
    if tokens.take("of", "in"):
        tokens.skip("the", "every", "each")
        if tokens.take("month", "months"):
            return
    tokens.at = here


def _take_months(tokens: Tokens, days: Days) -> None:
    here = tokens.at
    if not tokens.take("in", "of", "during") and tokens.peek() not in MONTHS:
        return
    while name := tokens.take(*MONTHS):
        days.months.add(MONTHS[name])
        if tokens.take(*TO):
            last = MONTHS.get(tokens.take(*MONTHS) or "")
            if last is None:
                tokens.refuse_next("say until which month")
            days.months |= {(MONTHS[name] - 1 + more) % 12 + 1 for more in range((last - MONTHS[name]) % 12 + 1)}
        if tokens.peek() == "and" and tokens.peek(1) in MONTHS:
            tokens.at += 1
    if not days.months:
        tokens.at = here


def _through(tokens: Tokens, first: int) -> set[int]:
    """“monday to friday”, or the one day."""
    here = tokens.at
    if tokens.take(*TO) and (name := tokens.take(*WEEKDAYS)):
        return {(first + more) % 7 for more in range((WEEKDAYS[name] - first) % 7 + 1)}
    tokens.at = here
    return {first}


def _iso_date(tokens: Tokens) -> date | None:
    word = tokens.peek()
    if word.count("-") != 2:
        return None
    try:
        found = date(*map(int, word.split("-")))
    except ValueError:
        tokens.refuse(f"There is no day {word}.")
    tokens.at += 1
    return found


def _month_and_day(tokens: Tokens, today: date) -> date | None:
    """“24 december”, “24th of december 2026”, “december 24th”: the next one, unless the year is given."""
    day = tokens.take_number(most=31)
    if day is not None:
        tokens.take(*SUFFIXES)
        tokens.take("of")
    month = MONTHS.get(tokens.take(*MONTHS) or "")
    if month is None:
        return None
    if day is None:
        day = tokens.take_number(most=31)
        tokens.take(*SUFFIXES)
    tokens.skip("and") if tokens.peek(1).isdigit() and len(tokens.peek(1)) == 4 else None
    year = tokens.take_number() if tokens.peek().isdigit() and len(tokens.peek()) == 4 else None
    if day is None or (tokens.peek() == "and" and tokens.peek(1) in MONTHS):
        return None
    for candidate in [year] if year else range(today.year, today.year + 9):
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if year or found >= today:
            return found
    tokens.refuse(f"{MONTH_NAMES[month - 1].capitalize()} has no day {day}{f' in {year}' if year else ''}.")


def _next_weekday(today: date, weekday: int) -> date:
    ahead = (weekday - today.isoweekday() % 7 - 1) % 7 + 1
    return today + timedelta(days=ahead)


def _ranges(weekdays: set[int]) -> list[str]:
    """Weekdays as cron has them: 1-5 for those of work, 0,6 for the weekend."""
    if weekdays >= {1, 2, 3, 4, 5} and 0 not in weekdays:
        return [f"1-{max(weekdays)}"]
    return [str(day) for day in sorted(weekdays, key=lambda day: (day - 1) % 7)]


def _or_star(text: str) -> str:
    return text or "*"
