"""The lines in a log: above each run that no human started, and where another day begins.

They depend on a row and on the one before it alone, so that pages that were put together in different ways are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from threads.models import ThreadMessage

BY_ITSELF: dict[str, str] = {
    ThreadMessage.Source.SCHEDULE: "scheduled run",
    ThreadMessage.Source.WEBHOOK: "run by a webhook",
}


@dataclass
class Divider:
    """The heading of another day; with a ``label``, that of a run that no human started."""

    moment: datetime
    label: str = ""
    run_id: int | None = None


def dividers_of(rows: list[ThreadMessage], runs: Iterable[Any], previous: ThreadMessage | None) -> dict[int, Divider]:
    """The dividers above these rows of one thread, by the rows' ids. ``previous``: the one before them, if known."""
    before = _moments_before(rows, previous)
    sentences = _sentences(rows, runs)
    found = {}
    for row in rows:
        if row.run_id and row.role == ThreadMessage.Role.USER and row.source in BY_ITSELF:
            words = [BY_ITSELF[row.source], sentences.get(row.run_id, "")]
            found[row.pk] = Divider(row.timestamp, ", ".join(filter(None, words)), row.run_id)
        elif (earlier := before.get(row.parent_id or 0)) and _day(earlier) != _day(row.timestamp):
            found[row.pk] = Divider(row.timestamp)
    return found


def _moments_before(rows: list[ThreadMessage], previous: ThreadMessage | None) -> dict[int, datetime]:
    """The times of the rows that these follow."""
    moments = {row.pk: row.timestamp for row in [*rows, *filter(None, [previous])]}
    missing = {row.parent_id for row in rows if row.parent_id} - moments.keys()
    if missing:
        moments.update(ThreadMessage.objects.filter(pk__in=missing).values_list("pk", "timestamp"))
    return moments


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date()


def _sentences(rows: list[ThreadMessage], runs: Iterable[Any]) -> dict[int, str]:
    """When the schedules run that started these runs, in words, and the names of webhooks; by the runs' ids."""
    runs = list(runs)
    return _times_of_schedules(rows, runs) | _names_of_webhooks(rows, runs)


def _names_of_webhooks(rows: list[ThreadMessage], runs: Iterable[Any]) -> dict[int, str]:
    called = {row.run_id for row in rows if row.source == ThreadMessage.Source.WEBHOOK}
    started = [run for run in runs if run.pk in called]
    if not started:
        return {}
    # As schedules, webhooks live in a layer above.
    received = started[0]._meta.get_field("received").related_model.objects
    return dict(received.filter(run__in=started).values_list("run_id", "webhook__name"))


def _times_of_schedules(rows: list[ThreadMessage], runs: Iterable[Any]) -> dict[int, str]:
    scheduled = {row.run_id for row in rows if row.source == ThreadMessage.Source.SCHEDULE}
    started = [run for run in runs if run.pk in scheduled]
    if not started:
        return {}
    # Schedules live in a layer above and are reached through the reverse relation.
    occurrences = started[0]._meta.get_field("occurrences").related_model.objects
    found = occurrences.filter(run__in=started).select_related("schedule")
    return {each.run_id: _lower_first(each.schedule.sentence) for each in found}


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
