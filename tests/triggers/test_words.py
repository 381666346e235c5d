"""Schedules in words: what is read, how it is said back, and what is refused with which word."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ZergError
from triggers.timing import Timing, describe
from triggers.words import read

NOW = datetime(2026, 3, 27, 12, 0, 34, tzinfo=UTC)
"""Friday, 13:00:34 in Berlin; two days later clocks go forward."""

CRON = {
    "0 7 * * 1-5": [
        "every weekday at 7", "weekdays at 7", "Every Weekday, at 7 o'clock", "each weekday 7am", "weekdays at 07:00",
        "weekdays at 7.00", "at 7 every weekday", "7 am on weekdays", "monday to friday at 7", "mon-fri 7:00",
        "mon - fri at 7", "every workday at 7", "monday through friday at 7 a.m.", "on weekdays at 7 in the morning",
        "every weekday morning at 7",
    ],
    "30 7 * * 1-5": ["weekdays at 7:30", "  weekdays   at 7.30 ", "WEEKDAYS AT 7:30 AM"],
    "0 7,19 * * 1-5": ["every weekday at 7 and 19", "weekdays at 7 and at 19", "weekdays at 7 am and 7 pm"],
    "0 9,12,15 * * 1,3,5": ["mon, wed and fri at 9, 12 and 15", "mondays, wednesdays, fridays at 9, 12, 15"],
    "0,30 7 * * *": ["every day at 7:00 and 7:30"],
    "0 7 * * *": ["every day at 7am", "daily at 7", "7:00 daily", "each day at 7", "every morning at 7"],
    "30 18 * * *": ["daily at 18:30", "every day at 6:30 pm", "every evening at 6:30"],
    "0 19,21 * * *": ["every day at 7 and 9 pm"],
    "0 11,15 * * *": ["every day at 11 and 3 pm"],
    "0 12 * * *": ["every day at noon", "daily at 12pm"],
    "0 0 * * *": ["every day at midnight", "daily at 12am"],
    "0 23 * * *": ["every night at 11"],
    "0 9 * * 1,4": ["every monday and thursday at 9", "mondays and thursdays at 9", "mon, thu 9:00"],
    "30 18 * * 0": ["sundays at 18:30", "every sunday at 6:30pm", "sunday evening at 6:30"],
    "0 10 * * 6,0": ["weekends at 10", "every weekend at 10", "saturday and sunday at 10"],
    "0 15 * * 5": ["friday afternoon at 3", "every friday at 3 in the afternoon"],
    "0 9 * * 1#1": ["first monday 9:00", "the first monday of the month at 9", "every 1st monday at 9"],
    "0 10 * * 2#1,2#3": ["first and third tuesday at 10", "1st and 3rd tuesday of every month at 10"],
    "0 10 * * 1#2,4#2": ["second monday and thursday at 10"],
    "0 17 * * 5L": ["last friday of the month at 17:00", "on the last friday at 5 pm"],
    "0 9 1 * *": ["on the 1st at 9", "monthly on the 1st at 9", "first day of the month at 9", "first of month at 9"],
    "0 9 1,15 * *": ["the 1st and 15th of the month at 9", "on the 1st and the 15th at 9"],
    "0 9 L * *": ["last day of the month at 9", "on the last day of every month at 9"],
    "0 17 LW * *": ["last weekday of the month at 17"],
    "0 9 1 * 1": ["mondays and on the 1st at 9"],
    "0 9 * 12 *": ["every day in december at 9"],
    "0 9 * 6,7 1": ["every monday in june and july at 9"],
    "0 9 * 1 1#1": ["first monday of january at 9"],
    "0 9 24 12 *": ["every 24 december at 9", "every year on 24 december at 9", "yearly on december 24th at 9"],
    "0 9 29 2 *": ["every year on 29 february at 9"],
    "0 17 * * 5": ["weekly on friday at 5pm", "every week on friday at 17"],
    "*/15 * * * 1-5": ["every 15 minutes on weekdays"],
    "*/15 9-16 * * *": ["every 15 minutes between 9 and 17", "every 15 min from 9 am to 5 pm"],
    "*/15 9-16 * * 1-5": ["every 15 minutes on weekdays between 9 and 17", "every 15 minutes from 9 to 17 on weekdays"],
    "0 8,10,12,14,16,18 * * 1-5": ["every 2 hours from 8 to 18 on weekdays"],
    "0 * * * 1-5": ["hourly on weekdays", "every hour on weekdays"],
}  # fmt: skip
INTERVALS = {
    "60": ["every minute"],
    "900": ["every 15 minutes", "Every 15 min", "every 15min"],
    "1800": ["every half hour", "every 30 minutes"],
    "3600": ["hourly", "every hour", "every 60 minutes"],
    "7200": ["every 2 hours", "every two hours", "every other hour"],
    "172800": ["every 2 days", "every other day"],
    "1814400": ["every 3 weeks"],
}
SINGLE = {
    "2026-03-27T13:20:34+01:00": ["in 20 minutes", "in 20 min", "In 20 Minutes"],
    "2026-03-27T13:30:34+01:00": ["in half an hour"],
    "2026-03-27T14:00:34+01:00": ["in an hour", "in one hour"],
    # Clocks go forward in between: the same time by the clock.
    "2026-03-29T13:00:34": ["in 2 days"],
    "2026-03-30T09:00": ["in 3 days at 9"],
    "2026-03-28T08:00": ["tomorrow at 8", "tomorrow 8:00", "at 8 tomorrow", "tomorrow morning at 8", "Tomorrow, 8am"],
    "2026-03-27T18:00": ["today at 18:00", "today at 6 pm", "tonight at 6"],
    "2026-03-29T09:00": ["day after tomorrow at 9", "the day after tomorrow at 9"],
    "2026-04-03T09:00": ["next friday at 9"],
    "2026-03-30T09:15": ["next monday at 9:15"],
    "2026-12-24T09:00": [
        "on 24 december at 9", "24 dec 9:00", "december 24 at 9", "on the 24th of december at 9", "dec 24th, 2026 at 9",
        "24 december 2026 at 9", "2026-12-24 at 9",
    ],
    "2026-12-24T09:00:00": ["2026-12-24 09:00", "2026-12-24T09:00", "2026-12-24 09:00:00"],
    "2026-12-24T09:00:00+00:00": ["2026-12-24T09:00Z", "2026-12-24 09:00 Z"],
    "2027-01-02T09:00": ["2 january at 9"],
    "2028-02-29T09:00": ["29 february at 9"],
}  # fmt: skip
READ = [
    (words, kind, expression)
    for kind, table in (("cron", CRON), ("interval", INTERVALS), ("once", SINGLE))
    for expression, several in table.items()
    for words in several
]

REFUSED = [
    ("", "Say when."),
    ("and", "There is nothing to read"),
    (
        "weekdays at 7 and sundays at 18:30",
        "make two schedules, one for “weekdays at 7” and one for “sundays at 18:30”",
    ),
    ("every weekday at 7, and sundays at 18:30", "make two schedules"),
    ("weekdays at 7 and 19:30", "make two schedules"),
    ("every day at 7 on mondays", "Say all days before the time"),
    ("every mondy at 9", "I read “every”, but not “mondy”. Did you mean “monday”?"),
    ("every quux at 9", "I read “every”, but not “quux”"),
    ("whenever", "I do not understand “whenever”"),
    ("weekdays at 7 please", "I read “weekdays at 7”, but not “please”"),
    ("every day except sunday at 9", "I read “every day”, but not “except”"),
    ("every day", "I read “every day”, and then nothing: say at what time"),
    ("tomorrow", "say at what time"),
    ("at 7", "say on which days"),
    ("monthly at 9", "say on which day"),
    ("every week", "say on which day"),
    ("every day at 25", "“25” is no time of the day"),
    ("every day at 7:61", "“7:61” is no time of the day"),
    ("every sunday at 24:00", "“24:00” is no time of the day"),
    ("every day at 0 am", "from 1 to 12"),
    ("every 0 minutes", "Every 0 is never"),
    ("every 7 minutes on weekdays", "does not go into the hour evenly"),
    ("every 2 days at 9", "set a start, or use cron"),
    ("every 15 minutes between 17 and 9", "must come before"),
    ("31 february at 9", "February has no day 31"),
    ("29 february 2027 at 9", "February has no day 29 in 2027"),
    ("2026-13-01 at 9", "There is no day 2026-13-01"),
    ("the 32nd at 9", "A month has no day 32"),
    ("tomorrow at 8 and 9", "One time only"),
    ("in 99999 days", "not “99999”"),
    ("in 9999 weeks", "between the years"),
    ("every 60 weeks", "a year at most"),
    ("on the 31st in february at 9", "31 February never comes"),
    ("first weekday of the month at 9", "not “weekday”"),
    ("x" * 201, "in 200 characters"),
    ("0 7 * * 1-5", "use cron"),
]


@pytest.mark.parametrize(("words", "kind", "expression"), READ)
def test_words_become_a_timing(words: str, kind: str, expression: str) -> None:
    assert read(words, "Europe/Berlin", NOW) == (kind, expression)


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_what_is_not_understood_is_refused_by_its_word_with_examples(words: str, said: str) -> None:
    with pytest.raises(ZergError) as refusal:
        read(words, "Europe/Berlin", NOW)
    assert (refusal.value.code, list(refusal.value.fields)) == ("bad_schedule", ["words"])
    assert said in refusal.value.message
    assert "“every weekday at 7”, “first monday at 9:00” or “in 20 minutes”" in refusal.value.message


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("mon, wed and fri at 9", "At 09:00 on Monday, Wednesday, and Friday, Europe/Berlin"),
        ("every 15 minutes on weekdays", "Every 15 minutes on weekdays, Europe/Berlin"),
        ("every 2 hours from 8 to 18", "At 08:00, 10:00, 12:00, 14:00, 16:00 and 18:00, Europe/Berlin"),
        ("on the 21st at 9", "At 09:00 on the 21st day of every month, Europe/Berlin"),
        ("weekends at 10", "At 10:00 on Saturday and Sunday, Europe/Berlin"),
    ],
)
def test_what_was_read_is_said_back(words: str, sentence: str) -> None:
    assert describe(Timing(*read(words, "Europe/Berlin", NOW), "Europe/Berlin")) == sentence


def test_tomorrow_is_that_of_the_schedules_zone() -> None:
    late = datetime(2026, 3, 27, 23, 30, tzinfo=UTC)
    assert read("tomorrow at 8", "America/New_York", late) == ("once", "2026-03-28T08:00")
    assert read("tomorrow at 8", "Europe/Berlin", late) == ("once", "2026-03-29T08:00")


SOME_WORDS = (
    "every at in on the of and to between first last monday fridays weekday day days month 1 9 31 99999 7:30 st am pm "
    "noon december february tomorrow hourly minutes half weekly 2026-12-24 - , x ² ½ \x00"
)


@given(words=st.lists(st.sampled_from(re.findall("[^ ]+", SOME_WORDS)), max_size=9).map(" ".join))
def test_any_words_are_either_a_timing_or_refused_with_a_sentence(words: str) -> None:
    said = ""
    try:
        said = describe(Timing(*read(words, "Europe/Berlin", NOW), "Europe/Berlin"))
    except ZergError as error:
        said = error.fields["words"]
    assert said.strip()
