"""Cron text in words: what it means, or what is wrong with it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

EXAMPLE = "Cron has five fields: minute, hour, day, month, weekday. For example 0 7 * * 1-5 means weekdays at 07:00."
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = (
    (Field.MINUTE, "minute", "0 to 59"),
    (Field.HOUR, "hour", "0 to 23"),
    (Field.DAY, "day", "1 to 31, or L for the last"),
    (Field.MONTH, "month", "1 to 12 or JAN to DEC"),
    (Field.DOW, "weekday", "0 to 7 (0 and 7 are Sunday) or SUN to SAT"),
)
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
# cronsim has an error of its own, and checks some of the text by asserting and unpacking.
UNREADABLE = (CronSimError, ValueError, TypeError, AssertionError, IndexError, RecursionError)
EVERY_MINUTES = re.compile(r"\*/([0-9]+) \* \* \* \*")


# cronsim says “21th”, and “At minute 0 past hours 8, 10, and 12” for more than four times.
BAD_ENDING = re.compile(r"\b(2[123]|31)th\b")
GOOD_ENDINGS = {"1": "st", "2": "nd", "3": "rd"}
PAST_HOURS = re.compile(r"^At minute (\d+) past hours ((?:\d+,? (?:and )?)*\d+)")


def sentence_of(text: str) -> str:
    """What valid cron text means."""
    steps = EVERY_MINUTES.fullmatch(text)
    if steps and 1 < int(steps[1]) < 60 and 60 % int(steps[1]) == 0:
        return f"Every {int(steps[1])} minutes"
    try:
        said = str(CronSim(text, datetime.now(UTC)).explain())
    except UNREADABLE:
        return f"Cron {text}"
    said = said.replace("on Monday through Friday", "on weekdays")
    said = BAD_ENDING.sub(lambda match: f"{match[1]}{GOOD_ENDINGS[match[1][-1]]}", said)
    said = PAST_HOURS.sub(lambda match: _at_times(int(match[1]), match[2]), said)
    if re.match(r"\*/(?:2|3|4|5|6|10|12|15|20|30) ", text):
        said = re.sub(
            r"^Every (?:second|third|fourth|fifth|sixth|\d+th) minute(?: of every hour)?",
            f"Every {text.split()[0][2:]} minutes",
            said,
        )
    return said


def refusal(text: str) -> str:
    """Why ``text`` cannot be used, for text that cronsim refused."""
    if text.startswith("@"):
        same = NICKNAMES.get(text.lower())
        return f"Write {text} as {same}." if same else f"“{text[:40]}” is not read here. {EXAMPLE}"
    parts = text.upper().split()
    if len(parts) == 6:
        return f"These are six fields; seconds are not used here, so leave the first out. {EXAMPLE}"
    if len(parts) != 5:
        return f"This has {len(parts)} field{'' if len(parts) == 1 else 's'}. {EXAMPLE}"
    for (field, name, values), part in zip(FIELDS, parts, strict=True):
        try:
            field.parse(part)
        except UNREADABLE:
            takes = f"{values}, * for each, and lists (1,2), ranges (1-5) and steps (*/5) of them"
            return f"The {name} “{part[:40]}” cannot be read. It takes {takes}."
    return _never(parts[2], parts[3])


def _at_times(minute: int, hours: str) -> str:
    times = [f"{int(hour):02d}:{minute:02d}" for hour in re.findall(r"\d+", hours)]
    return f"At {', '.join(times[:-1])} and {times[-1]}"


def works_by_the_clock(text: str, hours: set[int]) -> bool:
    """Whether the text names fixed times in one of ``hours``: a clock change moves those; ``*`` goes on counting."""
    minute, hour = text.split()[:2]
    if minute.startswith("*") or hour.startswith("*"):
        return False
    return not hours.isdisjoint(_numbers(Field.HOUR, hour.upper()))


def _numbers(field: Field, text: str) -> set[int]:
    """The values of a field other than the weekday's, which alone has pairs."""
    return {value for value in field.parse(text) if isinstance(value, int)}


def _never(days: str, months: str) -> str:
    day_names = [str(day) for day in sorted(_numbers(Field.DAY, days)) if day > 0]
    month_names = [MONTHS[month - 1] for month in sorted(_numbers(Field.MONTH, months))]
    return f"{_either(day_names)} {_either(month_names)} never comes."


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
