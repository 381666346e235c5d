"""Start, end, spread, a number of runs, and the least interval: in the preview, in what is saved and in what fires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from common.errors import ZergError
from triggers.models import Schedule
from triggers.services import pause, preview, preview_of, resume, update_schedule
from triggers.tasks import tick
from triggers.timing import Timing, check, describe, next_times

from .conftest import NOON, MakeSchedule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def iso(*times: datetime) -> list[str]:
    return [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times]


def test_start_and_end_are_both_included() -> None:
    timing = Timing("cron", "0 * * * *", "UTC", starts_at=NOON + 2 * HOUR, ends_at=NOON + 4 * HOUR)
    assert next_times(timing, NOON, 9) == [NOON + 2 * HOUR, NOON + 3 * HOUR, NOON + 4 * HOUR]
    assert describe(timing).endswith(", UTC, from 27 March 2026 at 14:00, until 27 March 2026 at 16:00")


def test_an_interval_counts_from_its_start_wherever_one_begins() -> None:
    timing = Timing("interval", "5400", "UTC", starts_at=NOON + timedelta(minutes=20))
    for minutes in range(0, 20, 7):
        assert next_times(timing, NOON + timedelta(minutes=minutes), 1) == [NOON + timedelta(minutes=20)]
    for minutes in range(20, 110, 7):
        assert next_times(timing, NOON + timedelta(minutes=minutes), 1) == [NOON + timedelta(minutes=110)]


def test_the_offset_moves_each_time_and_no_bound() -> None:
    timing = Timing("cron", "0 * * * *", "UTC", ends_at=NOON + 2 * HOUR, offset_seconds=90)
    moved = timedelta(seconds=90)
    assert next_times(timing, NOON, 9) == [NOON + moved, NOON + HOUR + moved, NOON + 2 * HOUR + moved]
    assert next_times(Timing("once", "2026-03-27T13:00", "UTC", offset_seconds=90), NOON, 9) == [NOON + HOUR]


@pytest.mark.parametrize(
    ("timing", "field", "reason"),
    [
        (Timing("cron", "0 7 * * *", "UTC", NOON + DAY, NOON), "ends_at", "end before it starts"),
        (Timing("cron", "0 7 * * *", "UTC", None, NOON + HOUR), "ends_at", "end before its first time"),
        (Timing("interval", "7200", "UTC", None, NOON + HOUR), "ends_at", "end before its first time"),
        (Timing("cron", "0 * * * *", "UTC", None, NOON - DAY), "ends_at", "end is over"),
        (Timing("once", "2026-03-27T13:00", "UTC", NOON + DAY), "expression", "before the start"),
        (Timing("once", "2026-03-29T13:00", "UTC", None, NOON + DAY), "expression", "after the end"),
        (Timing("cron", "0 * * * *", "UTC", runs_left=0), "most_runs", "as often as it may"),
    ],
)
def test_what_its_bounds_never_let_come_is_refused(timing: Timing, field: str, reason: str) -> None:
    with pytest.raises(ZergError) as refusal:
        check(timing, NOON)
    assert (refusal.value.code, list(refusal.value.fields)) == ("bad_schedule", [field])
    assert reason in refusal.value.message


@pytest.mark.parametrize(
    ("kind", "text", "gap"),
    [
        ("cron", "* * * * *", "1 minute"),
        ("cron", "*/4 9 * * *", "4 minutes"),
        ("cron", "0,3 7 1 1 *", "3 minutes"),
        ("cron", "58,0 0,23 L,1 * *", "2 minutes"),
        ("cron", "0,58 * 29 2 *", "2 minutes"),
        ("interval", "299", "299 seconds"),
    ],
)
def test_what_comes_more_often_than_the_operator_allows_is_refused(
    kind: str, text: str, gap: str, settings: Settings
) -> None:
    settings.LEAST_INTERVAL_SECONDS = 300
    with pytest.raises(ZergError) as refusal:
        check(Timing(kind, text, "Europe/Berlin"), NOON)
    said = f"This comes {gap} after the time before; here at least 5 minutes must lie between two times."
    assert refusal.value.fields == {"expression": said}


@pytest.mark.parametrize(
    ("kind", "text"),
    [("cron", "*/5 * * * *"), ("cron", "58 23 * * *"), ("cron", "0 0,23 1,15 * *"), ("interval", "300")],
)
def test_what_comes_just_as_often_as_is_allowed_is_accepted(kind: str, text: str, settings: Settings) -> None:
    settings.LEAST_INTERVAL_SECONDS = 300
    assert check(Timing(kind, text, "Europe/Berlin"), NOON) == text


@pytest.mark.django_db
def test_a_limit_that_was_raised_stops_nobody_but_new_ones(make_schedule: MakeSchedule, settings: Settings) -> None:
    schedule = make_schedule("* * * * *")
    settings.LEAST_INTERVAL_SECONDS = 300
    assert update_schedule(schedule, name="Still there").enabled
    assert not pause(schedule).enabled
    with pytest.raises(ZergError):
        resume(schedule)


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "text"), [("cron", "*/10 * * * *"), ("interval", "600")])
def test_a_saved_preview_is_what_fires_to_the_second(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, kind: str, text: str
) -> None:
    schedule = make_schedule(text, kind=kind, spread_seconds=300, overlap_policy="queue", ends_at=NOON + HOUR)
    clock.shift(timedelta(seconds=3))  # one looks later than one saved
    promised = preview_of(schedule)
    assert 0 <= schedule.offset_seconds <= 300
    while schedule.occurrences.count() < 5:
        clock.shift(timedelta(seconds=20))
        tick()
    due = schedule.occurrences.order_by("scheduled_for").values_list("scheduled_for", flat=True)
    assert iso(*due) == promised["next"]
    clock.shift(HOUR)
    tick()
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.disabled_reason) == (False, "No further time is to come.")


@pytest.mark.django_db
def test_the_offset_stays_while_the_spread_does(make_schedule: MakeSchedule) -> None:
    schedule = make_schedule("0 7 * * *", spread_seconds=86_400)
    chosen = schedule.offset_seconds
    for change in ({"name": "Other"}, {"expression": "0 8 * * *"}, {"enabled": False}, {"enabled": True}):
        assert update_schedule(schedule, **change).offset_seconds == chosen
    assert update_schedule(schedule, spread_seconds=0).offset_seconds == 0
    with pytest.raises(ZergError) as refusal:
        update_schedule(schedule, spread_seconds=86_401)
    assert list(refusal.value.fields) == ["spread_seconds"]


@pytest.mark.django_db
def test_no_more_is_promised_than_it_may_run(make_schedule: MakeSchedule) -> None:
    schedule = make_schedule("0 12 * * *", most_runs=4)
    Schedule.objects.filter(pk=schedule.pk).update(runs_made=1)
    schedule.refresh_from_db()
    promised = preview_of(schedule, NOON)
    assert promised["next"] == iso(NOON + DAY, NOON + 2 * DAY, NOON + 3 * DAY)
    assert promised["runs_per_month"] == 3
    with pytest.raises(ZergError) as refusal:
        update_schedule(schedule, most_runs=0)
    assert list(refusal.value.fields) == ["most_runs"]


@pytest.mark.django_db
@pytest.mark.parametrize("enabled", [True, False])
def test_what_can_never_come_is_not_saved_even_paused(make_schedule: MakeSchedule, enabled: bool) -> None:
    for bad in ({"expression": "2001-01-01T00:00", "kind": "once"}, {"ends_at": NOON - 900 * DAY}):
        with pytest.raises(ZergError):
            make_schedule(**bad, enabled=enabled)
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("kind", "expression", "runs"),
    [
        ("cron", "0 7 * * 1-5", 20),
        ("cron", "* * * * *", 43_200),
        ("cron", "30 2 29 * *", 1),
        ("interval", "900", 2880),
        ("once", "2026-03-28T07:00", 1),
        ("once", "2026-09-28T07:00", 0),
    ],
)
def test_a_month_is_forecast_by_the_same_function(kind: str, expression: str, runs: int) -> None:
    assert preview(kind, expression, "Europe/Berlin", NOON)["runs_per_month"] == runs


def test_a_preview_takes_words_and_says_what_an_unsaved_spread_does() -> None:
    shown = preview(words="every weekday at 7", timezone="Europe/Berlin", after=NOON, spread_seconds=600)
    assert shown == {
        "sentence": "At 07:00 on weekdays, Europe/Berlin",
        "kind": "cron",
        "expression": "0 7 * * 1-5",
        "timezone": "Europe/Berlin",
        "next": iso(*(datetime(2026, 3, 30, 5, tzinfo=UTC) + day * DAY for day in range(5))),
        "note": "Clocks go forward on Sunday 29 March 2026: 02:00 becomes 03:00. "
        "Each comes up to 10 minutes later, always as much.",
        "runs_per_month": 20,
    }
