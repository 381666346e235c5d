"""When schedules come due, through clock changes and odd texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ZergError
from triggers.timing import Timing, check, describe, latest_time, next_times, note

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
LORD_HOWE, AUCKLAND, KOLKATA = "Australia/Lord_Howe", "Pacific/Auckland", "Asia/Kolkata"
SPRING_BERLIN = ("2026-03-28 12:00", BERLIN)
AUTUMN_BERLIN = ("2026-10-24 12:00", BERLIN)
AUTUMN_NEW_YORK = ("2026-10-31 12:00", NEW_YORK)
SPRING_NEW_YORK = ("2027-03-13 12:00", NEW_YORK)

ONCE = "Once on Sunday 29 March 2026 at 07:00, Europe/Berlin"
FORWARD = "Clocks go forward on Sunday 29 March 2026: 02:00 becomes 03:00."
BACK = "Clocks go back on Sunday 25 October 2026: 03:00 becomes 02:00."
BACK_NEW_YORK = "Clocks go back on Sunday 1 November 2026: 02:00 becomes 01:00."
TWICE = "What falls into the time that comes twice runs once, the first time."
LEFT_OUT = "Clocks go forward that day, and 02:30 does not come: it runs at 03:00."
TWICE_THAT_DAY = "Clocks go back that day, and 02:30 comes twice: it runs the first time."

# cron, counted from, the next three due times with their offsets from UTC
CLOCK_CHANGES = [
    ("30 1 * * *", SPRING_BERLIN, ["29 01:30+01:00", "30 01:30+02:00", "31 01:30+02:00"]),
    ("0 2 * * *", SPRING_BERLIN, ["29 03:00+02:00", "30 02:00+02:00", "31 02:00+02:00"]),
    ("30 2 * * *", SPRING_BERLIN, ["29 03:00+02:00", "30 02:30+02:00", "31 02:30+02:00"]),
    ("0 3 * * *", SPRING_BERLIN, ["29 03:00+02:00", "30 03:00+02:00", "31 03:00+02:00"]),
    ("0,30 2,3 * * *", SPRING_BERLIN, ["29 03:00+02:00", "29 03:30+02:00", "30 02:00+02:00"]),
    ("30 * 29 3 *", ("2026-03-29 01:00", BERLIN), ["29 01:30+01:00", "29 03:30+02:00", "29 04:30+02:00"]),
    ("30 1 * * *", AUTUMN_BERLIN, ["25 01:30+02:00", "26 01:30+01:00", "27 01:30+01:00"]),
    ("0 2 * * *", AUTUMN_BERLIN, ["25 02:00+02:00", "26 02:00+01:00", "27 02:00+01:00"]),
    ("30 2 * * *", AUTUMN_BERLIN, ["25 02:30+02:00", "26 02:30+01:00", "27 02:30+01:00"]),
    ("0 3 * * *", AUTUMN_BERLIN, ["25 03:00+01:00", "26 03:00+01:00", "27 03:00+01:00"]),
    ("30 * * * *", ("2026-10-25 01:45", BERLIN), ["25 02:30+02:00", "25 02:30+01:00", "25 03:30+01:00"]),
    ("30 1 * * *", AUTUMN_NEW_YORK, ["01 01:30-04:00", "02 01:30-05:00", "03 01:30-05:00"]),
    ("0 2 * * *", AUTUMN_NEW_YORK, ["01 02:00-05:00", "02 02:00-05:00", "03 02:00-05:00"]),
    ("30 2 * * *", AUTUMN_NEW_YORK, ["01 02:30-05:00", "02 02:30-05:00", "03 02:30-05:00"]),
    ("0 3 * * *", AUTUMN_NEW_YORK, ["01 03:00-05:00", "02 03:00-05:00", "03 03:00-05:00"]),
    ("*/30 1 * * *", AUTUMN_NEW_YORK, ["01 01:00-04:00", "01 01:30-04:00", "01 01:00-05:00"]),
    ("30 1 * * *", SPRING_NEW_YORK, ["14 01:30-05:00", "15 01:30-04:00", "16 01:30-04:00"]),
    ("0 2 * * *", SPRING_NEW_YORK, ["14 03:00-04:00", "15 02:00-04:00", "16 02:00-04:00"]),
    ("30 2 * * *", SPRING_NEW_YORK, ["14 03:00-04:00", "15 02:30-04:00", "16 02:30-04:00"]),
    ("0 3 * * *", SPRING_NEW_YORK, ["14 03:00-04:00", "15 03:00-04:00", "16 03:00-04:00"]),
    # Lord Howe's clocks change by half an hour.
    ("15 2 * * *", ("2026-04-04 12:00", LORD_HOWE), ["05 02:15+10:30", "06 02:15+10:30", "07 02:15+10:30"]),
    ("45 1 * * *", ("2026-04-04 12:00", LORD_HOWE), ["05 01:45+11:00", "06 01:45+10:30", "07 01:45+10:30"]),
    ("30 1 * * *", ("2026-04-04 12:00", LORD_HOWE), ["05 01:30+11:00", "06 01:30+10:30", "07 01:30+10:30"]),
    ("*/15 1 * * *", ("2026-04-05 01:20", LORD_HOWE), ["05 01:30+11:00", "05 01:45+11:00", "05 01:30+10:30"]),
    ("0 2 * * *", ("2026-04-04 12:00", LORD_HOWE), ["05 02:00+10:30", "06 02:00+10:30", "07 02:00+10:30"]),
    ("15 2 * * *", ("2026-10-03 12:00", LORD_HOWE), ["04 02:30+11:00", "05 02:15+11:00", "06 02:15+11:00"]),
    ("30 2 * * *", ("2026-10-03 12:00", LORD_HOWE), ["04 02:30+11:00", "05 02:30+11:00", "06 02:30+11:00"]),
    ("*/15 2 * * *", ("2026-10-03 12:00", LORD_HOWE), ["04 02:30+11:00", "04 02:45+11:00", "05 02:00+11:00"]),
    ("0 * * * *", ("2026-10-04 00:30", LORD_HOWE), ["04 01:00+10:30", "04 03:00+11:00", "04 04:00+11:00"]),
    ("30 2 * * *", ("2026-04-04 12:00", AUCKLAND), ["05 02:30+13:00", "06 02:30+12:00", "07 02:30+12:00"]),
    ("0 3 * * *", ("2026-04-04 12:00", AUCKLAND), ["05 03:00+12:00", "06 03:00+12:00", "07 03:00+12:00"]),
    ("30 * * * *", ("2026-04-05 01:45", AUCKLAND), ["05 02:30+13:00", "05 02:30+12:00", "05 03:30+12:00"]),
    ("30 2 * * *", ("2026-09-26 12:00", AUCKLAND), ["27 03:00+13:00", "28 02:30+13:00", "29 02:30+13:00"]),
    ("0 3 * * *", ("2026-09-26 12:00", AUCKLAND), ["27 03:00+13:00", "28 03:00+13:00", "29 03:00+13:00"]),
    ("15 * * * *", ("2026-09-27 01:00", AUCKLAND), ["27 01:15+12:00", "27 03:15+13:00", "27 04:15+13:00"]),
    ("30 2 * * *", ("2026-03-28 12:00", KOLKATA), ["29 02:30+05:30", "30 02:30+05:30", "31 02:30+05:30"]),
    ("30 2 * * *", ("2026-10-24 12:00", KOLKATA), ["25 02:30+05:30", "26 02:30+05:30", "27 02:30+05:30"]),
]

LEAP_DAYS = [
    (
        "0 5 29 2 *",
        ("2026-01-01 00:00", KOLKATA),
        ["2028-02-29 05:00", "2032-02-29 05:00", "2036-02-29 05:00"],
    ),
    (
        "0 7 29 2 *",
        ("2027-03-01 00:00", BERLIN),
        ["2028-02-29 07:00", "2032-02-29 07:00", "2036-02-29 07:00"],
    ),
    (
        "0 7 L 2 *",
        ("2026-01-01 00:00", NEW_YORK),
        ["2026-02-28 07:00", "2027-02-28 07:00", "2028-02-29 07:00"],
    ),
    (
        "59 23 28-31 2 *",
        ("2028-02-01 00:00", AUCKLAND),
        ["2028-02-28 23:59", "2028-02-29 23:59", "2029-02-28 23:59"],
    ),
    (
        "0 9 29 2 2",
        ("2028-02-20 00:00", BERLIN),
        ["2028-02-22 09:00", "2028-02-29 09:00", "2029-02-06 09:00"],
    ),
]


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(("cron", "start", "expected"), CLOCK_CHANGES)
def test_local_time_means_local_time_through_both_clock_changes(
    cron: str, start: tuple[str, str], expected: list[str]
) -> None:
    assert [time[8:] for time in _local_times(cron, start)] == expected


@pytest.mark.parametrize(("cron", "start", "expected"), LEAP_DAYS)
def test_the_end_of_february_comes_in_leap_years_too(cron: str, start: tuple[str, str], expected: list[str]) -> None:
    assert [time[:16] for time in _local_times(cron, start)] == expected


def _local_times(cron: str, start: tuple[str, str]) -> list[str]:
    times = next_times(Timing("cron", cron, start[1]), at(*start), 3)
    return [time.astimezone(ZoneInfo(start[1])).isoformat(" ", "minutes") for time in times]


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/15 * * * *", "0,30 2,3 * * *", "0 */2 * * *", "59 23 31 12 *"])
@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "UTC"])
@given(moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)))
def test_counting_on_from_any_due_time_gives_the_same_times(cron: str, zone: str, moment: datetime) -> None:
    """The list that is previewed at once is the one that the scheduler meets one by one."""
    start = moment.replace(tzinfo=UTC)
    previewed = next_times(Timing("cron", cron, zone), start, 4)
    met, after = [], start
    for _ in previewed:
        after = next_times(Timing("cron", cron, zone), after, 1)[0]
        met.append(after)
    assert met == previewed
    assert start < met[0] < met[1] < met[2] < met[3]


def test_counted_from_inside_the_hour_that_comes_twice_no_time_lies_in_the_past() -> None:
    second_half_past_two = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time in Berlin
    assert next_times(Timing("cron", "30 2 * * *", BERLIN), second_half_past_two, 1) == [at("2026-10-26 02:30", BERLIN)]


REFUSED = [
    ("cron", "0 0 31 2 *", "31 February never comes."),
    ("cron", "0 0 31 4,6 *", "31 April or June never comes."),
    ("cron", "0 0 */30 * 1#2", "exclude each other"),
    ("cron", "* * * * * *", "six fields"),
    ("cron", "0 7 * *", "This has 4 fields"),
    ("cron", "@every 1s", "is not read here"),
    ("cron", "@daily", "Write @daily as 0 0 * * *."),
    ("cron", "", "Say when"),
    ("cron", "   ", "Say when"),
    ("cron", "0 " * 5000, "at most 200 characters"),
    ("cron", "61 * * * *", "The minute “61” cannot be read"),
    ("cron", "0 24 * * *", "The hour “24” cannot be read"),
    ("cron", "0 0 * * FRIDAY", "The weekday “FRIDAY” cannot be read"),
    ("cron", "5L 5L/2 , */0 1#1#1", "cannot be read"),
    ("cron", "\x00 ½ ² \ud800 *", "cannot be read"),
    ("interval", "59", "at least 60 seconds"),
    ("interval", "0", "at least 60 seconds"),
    ("interval", "-900", "in seconds"),
    ("interval", "1e9", "in seconds"),
    ("interval", "99999999999", "a year at most"),
    ("interval", "9" * 150, "in seconds"),
    ("once", "2020-01-01T00:00", "That time is over"),
    ("once", "tomorrow", "Give the time as"),
    ("once", "0001-01-01T00:00", "between the years"),
    ("once", "9999-12-31T23:59", "between the years"),
]


@pytest.mark.parametrize(("kind", "expression", "reason"), REFUSED)
def test_what_can_never_run_is_refused_with_the_reason(kind: str, expression: str, reason: str) -> None:
    with pytest.raises(ZergError) as refusal:
        check(Timing(kind, expression, BERLIN), at("2026-03-01 12:00"))
    assert refusal.value.code == "bad_schedule"
    assert reason in refusal.value.fields["expression"]
    assert refusal.value.message == refusal.value.fields["expression"]


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("europe/berlin", "Did you mean Europe/Berlin?"),
        ("Berlin", "Did you mean Europe/Berlin?"),
        ("new york", "Did you mean America/New_York?"),
        ("Europe/Berln", "Did you mean Europe/Berlin?"),
        ("Mars/Olympus", "Use a name such as"),
        ("../../etc/passwd", "Use a name such as"),
        ("", "Use a name such as"),
        ("\x00", "Use a name such as"),
    ],
)
def test_a_zone_that_does_not_exist_is_refused_with_what_was_probably_meant(zone: str, hint: str) -> None:
    with pytest.raises(ZergError) as refusal:
        check(Timing("cron", "0 7 * * *", zone), at("2026-03-01 12:00"))
    assert hint in refusal.value.fields["timezone"]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ZergError) as refusal:
        check(Timing("sometimes", "0 7 * * *", BERLIN), at("2026-03-01 12:00"))
    assert "cron, interval and once" in refusal.value.fields["kind"]


@given(text=st.text(alphabet="0123456789*/,-L#WMONJA @?", max_size=40))
def test_any_text_is_either_a_schedule_or_refused_with_a_sentence(text: str) -> None:
    start = at("2026-03-01 12:00")
    try:
        clean = check(Timing("cron", text, BERLIN), start)
    except ZergError as error:
        clean, refusal = "", error.fields["expression"]
    if clean:
        assert next_times(Timing("cron", clean, BERLIN), start, 1)
        assert describe(Timing("cron", clean, BERLIN)).endswith(", Europe/Berlin")
    else:
        assert refusal.strip()


@pytest.mark.parametrize(
    ("kind", "expression", "stored", "sentence"),
    [
        ("cron", " 0  7 * * 1-5 ", "0 7 * * 1-5", "At 07:00 on weekdays, Europe/Berlin"),
        ("cron", "*/15 * * * *", "*/15 * * * *", "Every 15 minutes, Europe/Berlin"),
        ("cron", "0 9 * * MON#1", "0 9 * * MON#1", "At 09:00 on the first Monday of the month, Europe/Berlin"),
        ("interval", "900", "900", "Every 15 minutes"),
        ("interval", "15 min", "900", "Every 15 minutes"),
        ("interval", "Every 2 hours", "7200", "Every 2 hours"),
        ("interval", "1 day", "86400", "Every day"),
        ("interval", "90", "90", "Every 90 seconds"),
        ("once", "2026-03-29T07:00", "2026-03-29T07:00:00", ONCE),
        ("once", "2026-03-29T05:00Z", "2026-03-29T05:00:00+00:00", ONCE),
    ],
)  # fmt: skip
def test_a_schedule_is_said_in_words(kind: str, expression: str, stored: str, sentence: str) -> None:
    assert check(Timing(kind, expression, BERLIN), at("2026-03-01 12:00")) == stored
    assert describe(Timing(kind, expression, BERLIN)) == sentence


@pytest.mark.parametrize(
    ("kind", "expression", "start", "said"),
    [
        ("cron", "30 2 * * *", SPRING_BERLIN, f"{FORWARD} What falls into the time left out runs at 03:00."),
        ("cron", "30 2 * * *", AUTUMN_BERLIN, f"{BACK} {TWICE}"),
        ("cron", "0 7 * * *", SPRING_NEW_YORK, "Clocks go forward on Sunday 14 March 2027: 02:00 becomes 03:00."),
        ("cron", "*/30 * * * *", ("2026-11-01 01:15", NEW_YORK), BACK_NEW_YORK),
        ("interval", "86400", AUTUMN_NEW_YORK, BACK_NEW_YORK),
        ("cron", "30 2 * * *", ("2026-06-01 12:00", BERLIN), ""),
        ("once", "2026-03-29T02:30", SPRING_BERLIN, LEFT_OUT),
        ("once", "2026-10-25T02:30", AUTUMN_BERLIN, TWICE_THAT_DAY),
        ("once", "2026-10-25T12:00", AUTUMN_BERLIN, ""),
    ],
)  # fmt: skip
def test_a_clock_change_among_the_next_times_is_announced(
    kind: str, expression: str, start: tuple[str, str], said: str
) -> None:
    zone, after = start[1], at(*start)
    timing = Timing(kind, expression, zone)
    assert note(timing, after, next_times(timing, after, 5)) == said


def test_a_single_time_comes_once_and_an_interval_comes_for_ever() -> None:
    start = at("2026-03-28 12:00")
    assert next_times(Timing("once", "2026-03-29T02:30", BERLIN), start, 5) == [at("2026-03-29 03:00", BERLIN)]
    assert next_times(Timing("once", "2026-03-29T02:30", BERLIN), at("2026-03-29 03:00", BERLIN), 5) == []
    assert next_times(Timing("interval", "900", BERLIN), start, 2) == [
        start + timedelta(minutes=15),
        start + timedelta(minutes=30),
    ]


@pytest.mark.parametrize(
    ("kind", "expression", "newest"),
    [
        ("cron", "* * * * *", "2026-09-30 23:59"),
        ("cron", "0 7 * * *", "2026-09-30 07:00"),
        ("cron", "0 7 1 * *", "2026-09-01 07:00"),
        ("cron", "0 7 1 1 *", "2026-01-01 07:00"),
        ("interval", "420", "2026-09-30 23:53"),
    ],
)
def test_the_newest_time_of_a_long_absence_is_found(kind: str, expression: str, newest: str) -> None:
    due, until = at("2026-01-01 07:00"), at("2026-09-30 23:59") + timedelta(seconds=30)
    assert latest_time(Timing(kind, expression, "UTC"), due, until) == at(newest)
