"""A schedule in words: "every weekday at 7", "first monday 9:00", "in 20 minutes". A small grammar, not a guess.

    words  = single | steps | days times            commas, "on", "the" and "o'clock" may stand or not
    single = "in 20 minutes" | "tomorrow at 8" | "24 december at 9" | "next friday at 9" | "2026-12-24 09:00"
    steps  = "every 15 minutes" | "hourly" | either with days, or with "between 9 and 17"
    days   = "every day" | weekdays | "first monday" | "the 1st and 15th" | "last day of the month", then "in june"
    times  = "at 7", "7:30 pm", "noon"; several with "and"

What it cannot read it refuses, and says which word it was. The parts are read in ``word_days`` and ``word_times``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from common.errors import ZergError
from triggers import word_days, word_times
from triggers.timing import normal
from triggers.word_days import Days
from triggers.word_tokens import Tokens
from triggers.zones import zone

UNITS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}
SHORT = {"min": "minute", "mins": "minute", "m": "minute", "h": "hour", "hr": "hour", "hrs": "hour"}
UNIT_WORDS = {**{unit: unit for unit in UNITS}, **{f"{unit}s": unit for unit in UNITS}, **SHORT}
AMOUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "other": 2}


def read(words: str, timezone: str, now: datetime) -> tuple[str, str]:
    """``(kind, expression)`` of a schedule in words, for the zone; "tomorrow" and the like count from ``now``.

    Raises ZergError(``bad_schedule``, fields ``words`` or ``timezone``) with the word that was not understood.
    """
    local = now.astimezone(zone(timezone))
    tokens = Tokens(words)
    if exact := tokens.exact_time():
        return "once", exact
    for reader in (_after_a_while, _single_day, _steps, _yearly, _repeated):
        tokens.at = 0
        if found := reader(tokens, local):
            try:
                normal(*found, timezone)
            except ZergError as error:
                tokens.refuse(error.message)
            return found
    raise AssertionError("the last of the readers gives an answer or refuses")


def _after_a_while(tokens: Tokens, local: datetime) -> tuple[str, str] | None:
    """In 20 minutes; in 2 days at 9."""
    if not tokens.take("in"):
        return None
    half = bool(tokens.take("half"))
    amount = _amount(tokens)
    unit = UNIT_WORDS.get(tokens.take(*UNIT_WORDS) or "")
    if unit is None or (half and unit != "hour"):
        tokens.refuse_next("say for example “in 20 minutes”, “in 2 hours” or “in 3 days at 9”")
    length = timedelta(seconds=UNITS[unit] * (amount or 1)) / (2 if half else 1)
    try:
        if length.seconds == 0:  # whole days: at the same time by the clock
            day = local.replace(tzinfo=None, microsecond=0) + length
            return _once(tokens, day) if not tokens.ended else ("once", day.isoformat())
        tokens.expect_end()
        moment = local.astimezone(zone("UTC")) + length
        return "once", moment.astimezone(local.tzinfo).isoformat(timespec="seconds")
    except OverflowError:
        tokens.refuse("That is too far away.")


def _single_day(tokens: Tokens, local: datetime) -> tuple[str, str] | None:
    """Tomorrow at 8; 24 December 2026 at 9; next friday at 9; at 9 tomorrow."""
    times = word_times.take_times(tokens)
    tokens.skip("on", "and", "the")
    half = "pm" if tokens.peek() == "tonight" else ""
    day = word_days.take_date(tokens, local)
    if day is None:
        return None
    half = word_days.HALF_OF.get(tokens.take(*word_days.HALF_OF) or "", half)
    start = datetime(day.year, day.month, day.day)
    if not times:
        return _once(tokens, start, half)
    tokens.expect_end()
    return _once_at(tokens, start, times)


def _yearly(tokens: Tokens, local: datetime) -> tuple[str, str] | None:
    """Every 24 december at 9; at 9 every year on 1 january."""
    times = word_times.take_times(tokens)
    day = word_days.take_day_of_year(tokens)
    return ("cron", _cron_of(tokens, times, day)) if day else None


def _once(tokens: Tokens, day: datetime, half: str = "") -> tuple[str, str]:
    times = word_times.take_times(tokens, half)
    if not times:
        tokens.refuse_next("say at what time, such as “tomorrow at 8”")
    tokens.expect_end()
    return _once_at(tokens, day, times)


def _once_at(tokens: Tokens, day: datetime, times: list[tuple[int, int]]) -> tuple[str, str]:
    if len(times) > 1:
        tokens.refuse("One time only for a single day: make two schedules, or use cron.")
    hour, minute = times[0]
    return "once", day.replace(hour=hour, minute=minute, second=0).isoformat(timespec="minutes")


def _steps(tokens: Tokens, local: datetime) -> tuple[str, str] | None:
    """Every 15 minutes; every 2 hours on weekdays; hourly between 9 and 17."""
    if tokens.take("hourly"):
        amount, unit = 1, "hour"
    elif tokens.take("every", "each"):
        half = bool(tokens.take("half"))
        number = _amount(tokens)
        if number == 0:
            tokens.refuse("Every 0 is never.")
        word = tokens.take(*UNIT_WORDS)
        if word is None or (number is None and UNIT_WORDS[word] in {"day", "week"}):
            return None
        amount, unit = number or 1, UNIT_WORDS[word]
        if half:
            amount, unit = (30, "minute") if unit == "hour" else tokens.refuse_last()
    else:
        return None
    if tokens.ended:
        return "interval", str(amount * UNITS[unit])
    if unit in {"day", "week"}:
        tokens.refuse_next(f"for every {amount} {unit}s at a certain time set a start, or use cron")
    return "cron", _stepping_cron(tokens, amount, unit)


def _stepping_cron(tokens: Tokens, amount: int, unit: str) -> str:
    whole = 60 if unit == "minute" else 24
    if amount < 1 or whole % amount:
        tokens.refuse(
            f"Every {amount} {unit}s does not go into the {'hour' if whole == 60 else 'day'} evenly: use cron."
        )
    span = word_times.take_span(tokens)
    days = word_days.take_days(tokens)
    span = span or word_times.take_span(tokens)
    tokens.expect_end()
    first, last = span or (0, 24)
    if unit == "minute":
        hours = "*" if span is None else str(first) if last - 1 == first else f"{first}-{last - 1}"
        minutes = "*" if amount == 1 else "0" if amount == 60 else f"*/{amount}"
    else:
        hours = ",".join(str(hour) for hour in range(first, min(last, 23) + 1, amount)) if span else f"*/{amount}"
        hours, minutes = "*" if hours == "*/1" else hours, "0"
    return f"{minutes} {hours} {(days or Days()).cron}"


def _repeated(tokens: Tokens, local: datetime) -> tuple[str, str]:
    """Every weekday at 7 and 19; at 9 on the 1st; first monday 9:00."""
    times = word_times.take_times(tokens)
    days = word_days.take_days(tokens)
    if days is None:
        tokens.skip("and", *word_days.EVERY)
        tokens.refuse_next("say on which days, such as “every day at 7” or “mondays at 9”")
    return "cron", _cron_of(tokens, times, days.cron, days.half)


def _cron_of(tokens: Tokens, times: list[tuple[int, int]], days: str, half: str = "") -> str:
    """The line for the days, at the times that were read already or come next."""
    times = times or word_times.take_times(tokens, half)
    if not times:
        tokens.refuse_next("say at what time, such as “every weekday at 7”")
    _refuse_other_days(tokens)
    tokens.expect_end()
    minutes, hours = sorted({minute for _, minute in times}), sorted({hour for hour, _ in times})
    if len(minutes) * len(hours) != len(set(times)):
        tokens.refuse("One schedule cannot have these times: make two schedules, one for each.")
    return f"{_listed(minutes)} {_listed(hours)} {days}"


def _refuse_other_days(tokens: Tokens) -> None:
    """Of “weekdays at 7 and sundays at 18:30” the second part is another schedule."""
    here = tokens.at
    tokens.skip("and")
    rest = tokens.rest
    if rest and word_days.take_days(tokens) is not None:
        first = tokens.before(here)
        if tokens.ended:
            tokens.refuse(f"Say all days before the time: “{rest}” comes after “{first}”.")
        two = f"make two schedules, one for “{first}” and one for “{rest}”."
        tokens.refuse(f"One schedule has the same times on all its days: {two}")
    tokens.at = here


def _amount(tokens: Tokens) -> int | None:
    number = tokens.take_number()
    if number is not None:
        return number
    word = tokens.take(*AMOUNTS)
    return AMOUNTS[word] if word else None


def _listed(numbers: list[int]) -> str:
    return ",".join(str(number) for number in numbers)
