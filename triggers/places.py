"""Which thread a run of a schedule goes to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from common.bulk import insert_each
from common.errors import ZergError
from threads.models import Thread
from triggers.models import Schedule
from triggers.zones import zone

Mode, Roll = Schedule.ThreadMode, Schedule.Roll


def threads_of(wanted: Sequence[tuple[Schedule, datetime]]) -> tuple[list[int], list[Thread]]:
    """The ids of the threads that runs write to: for each a schedule and its due time. And the threads that were made,
    where there were none.

    Schedules remember a thread that is to be used again (not saved yet). Raises ZergError when a bound one is gone.
    """
    present: dict[int, int | Thread | None] = {
        row.pk: row.thread_id for row, _ in wanted if row.thread_mode != Mode.NEW
    }
    places: list[int | Thread] = []
    for schedule, due in wanted:
        place = _place(schedule, due, present.get(schedule.pk))
        if schedule.thread_mode != Mode.NEW:
            present[schedule.pk] = place
        places.append(place)
    made = [place for place in {id(place): place for place in places}.values() if isinstance(place, Thread)]
    insert_each(made)
    for schedule, _ in wanted:
        if isinstance(now := present.get(schedule.pk), Thread):
            schedule.thread = now
    return [place.pk if isinstance(place, Thread) else place for place in places], made


def _place(schedule: Schedule, due: datetime, present: int | Thread | None) -> int | Thread:
    """The thread for one run: the present one or its id, or a new one (not saved yet)."""
    if schedule.thread_mode == Mode.ROLLING:
        if present is None or rolls(schedule, due):
            schedule.thread_number += 1
            schedule.thread_since, schedule.thread_runs = due, 0
            present = _new(schedule, _rolling_title(schedule, due))
        schedule.thread_runs += 1
    elif present is None:
        if schedule.thread_mode == Mode.BOUND:
            raise ZergError("conflict", "The thread it wrote to was deleted. Choose another one.")
        present = _new(schedule, schedule.title)
    return present


def rolls(schedule: Schedule, due: datetime) -> bool:
    """Whether a run for this due time begins another thread than the one before it wrote to."""
    if schedule.thread_mode != Mode.ROLLING:
        return schedule.thread_mode == Mode.NEW
    if schedule.roll_every == Roll.RUNS:
        return schedule.thread_runs >= schedule.roll_runs
    since = schedule.thread_since
    return since is None or _period(schedule, due) > _period(schedule, since)


def _period(schedule: Schedule, due: datetime) -> tuple[int, ...]:
    """The day or the week of a due time, on the calendar of the schedule's zone."""
    day = due.astimezone(zone(schedule.timezone)).date()
    return tuple(day.isocalendar()[:2]) if schedule.roll_every == Roll.WEEK else (day.toordinal(),)


def _rolling_title(schedule: Schedule, due: datetime) -> str:
    local = due.astimezone(zone(schedule.timezone))
    if schedule.roll_every == Roll.RUNS:
        which = str(schedule.thread_number)
    elif schedule.roll_every == Roll.WEEK:
        year, week, _ = local.isocalendar()
        which = f"week {week}, {year}"
    else:
        which = f"{local:%-d %B %Y}"
    return f"{schedule.title[:160]} · {which}"


def _new(schedule: Schedule, title: str) -> Thread:
    return Thread(
        agent=schedule.agent,
        owner=schedule.owner,
        title=title[:200],
        thread_type=Thread.Type.SCHEDULE,
        title_by_person=True,
    )
