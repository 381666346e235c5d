"""The lines in a log: above each run that no human started, and where another day begins.

They depend on a row and on the one before it alone, so that pages that were put together in different ways are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from common.prepared import prepared
from threads.models import ThreadMessage

BY_ITSELF = {"schedule": "scheduled run", "webhook": "run by a webhook"}
"""What of a run's triggers is no person."""


@dataclass
class Divider:
    """The heading of another day; with a ``label``, that of a run that no human started: the run, while it is kept, and
    when it was due."""

    moment: datetime
    label: str = ""
    run: Any = None
    due: datetime | None = None


def dividers_of(
    rows: list[ThreadMessage], runs: Iterable[Any], previous: ThreadMessage | None, moments: dict[int, datetime]
) -> dict[int, Divider]:
    """The dividers above these rows of one thread, by the rows' ids. ``previous``: the one before them, if known;
    ``moments``: when rows were written, by their ids, as far as that is known."""
    before = _moments_before(rows, previous, moments)
    by_itself = {run.pk: run for run in runs if run.trigger in BY_ITSELF}
    causes = _causes(by_itself.values())
    found = {}
    for row in rows:
        run = by_itself.get(row.run_id or 0)
        if run and row.role == ThreadMessage.Role.USER:
            words, due = causes.get(run.pk, ("", None))
            label = ", ".join(filter(None, [BY_ITSELF[run.trigger], words]))
            found[row.pk] = Divider(row.timestamp, label, run, due)
        elif row.role == ThreadMessage.Role.USER and row.source in BY_ITSELF:
            found[row.pk] = Divider(row.timestamp, BY_ITSELF[row.source])
        elif (earlier := before.get(row.parent_id or 0)) and _day(earlier) != _day(row.timestamp):
            found[row.pk] = Divider(row.timestamp)
    return found


def _moments_before(
    rows: list[ThreadMessage], previous: ThreadMessage | None, known: dict[int, datetime]
) -> dict[int, datetime]:
    """The times of the rows that these follow."""
    moments = known | {row.pk: row.timestamp for row in [*rows, *filter(None, [previous])]}
    if missing := tuple({row.parent_id for row in rows if row.parent_id} - moments.keys()):
        moments.update(_moments_of(missing))
    return moments


@prepared
def _moments_of(ids: Any) -> QuerySet[ThreadMessage, tuple[int, datetime]]:
    return ThreadMessage.objects.filter(pk__in=ids).values_list("pk", "timestamp")


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date()


def _causes(runs: Iterable[Any]) -> dict[int, tuple[str, datetime | None]]:
    """What started these runs, in words, and when they were due, by the runs' ids."""
    runs = list(runs)
    if not runs:
        return {}
    # Schedules and webhooks live in a layer above and are reached through the reverse relations.
    occurrences = runs[0]._meta.get_field("occurrences").related_model.objects
    due = occurrences.filter(run__in=runs).select_related("schedule")
    found = {each.run_id: (_lower_first(each.schedule.sentence), each.scheduled_for) for each in due}
    if called := [run for run in runs if run.webhook_id]:
        received = runs[0]._meta.get_field("received").related_model.objects
        names = received.filter(run__in=called).values_list("run", "webhook__name")
        found |= {run_id: (name, None) for run_id, name in names}
    return found


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
