"""What a schedule says of the address it watches."""

from __future__ import annotations

import re

from common.errors import ZergError
from common.fetch import check_url
from triggers.models import Schedule

Watch = Schedule.Watch
PATH = re.compile(r"[^.\s][^.]*(\.[^.]+)*")


def validate(schedule: Schedule) -> None:
    """Brings the watch into its stored form. Raises ZergError(``bad_schedule``) for ``watch_url`` or ``watch_path``."""
    schedule.watch_url, schedule.watch_path = schedule.watch_url.strip(), schedule.watch_path.strip()
    if not schedule.watch_kind:
        return
    if not schedule.watch_url:
        _refuse("watch_url", "Give the address to look at, such as https://example.com/news.")
    try:
        schedule.watch_url = check_url(schedule.watch_url)
    except ZergError as error:
        _refuse("watch_url", error.message)
    if schedule.watch_kind != Watch.JSON:
        schedule.watch_path = ""
    elif schedule.watch_path and not PATH.fullmatch(schedule.watch_path):
        _refuse("watch_path", "Write the way to the value with dots between names and numbers: data.items.0.name.")


def watch_of(schedule: Schedule) -> tuple[str, str, str]:
    """Kind, address and path: with another watch, what was seen says nothing any more."""
    return schedule.watch_kind, schedule.watch_url, schedule.watch_path


def _refuse(field: str, sentence: str) -> None:
    raise ZergError("bad_schedule", sentence, {field: sentence})
