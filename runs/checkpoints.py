"""The texts so far of answers being written, made durable once a second: all of a worker's in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from runs.models import Run
from threads.models import ThreadMessage


@dataclass(frozen=True)
class Checkpoint:
    """The text so far of an answer being written. ``first_token_at`` is None once it is on the run's row."""

    message_id: int
    run_id: int
    content: str
    reasoning: str
    first_token_at: datetime | None


def checkpoint(texts: Collection[Checkpoint]) -> tuple[set[int], set[int]]:
    """Makes them durable in one transaction; gives the ids of the messages that are still being written, and of the
    runs on whose rows the moment of the first token is now.

    The message's status is the fence: whoever ends a lease settles the message in the same transaction. No version is
    taken, so that no thread is locked: readers always look at messages being written, whatever version they have.
    """
    kept = []
    with transaction.atomic():
        for text in sorted(texts, key=lambda text: text.message_id):
            rows = ThreadMessage.objects.filter(pk=text.message_id, status=ThreadMessage.Status.STREAMING)
            if rows.update(content=text.content, reasoning=text.reasoning):
                kept.append(text)
        begun = _note_first_tokens({text.run_id: text.first_token_at for text in kept if text.first_token_at})
    return {text.message_id for text in kept}, begun


def _note_first_tokens(moments: Mapping[int, datetime]) -> set[int]:
    """Gives the ids of the runs that were free. The next checkpoint notes the others: who held many runs' rows and
    waited for another would wait for ever for one who renews their leases, and holds that one."""
    if not moments:
        return set()
    free = Run.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=moments).order_by()
    begun = set(free.values_list("pk", flat=True))
    for run_id in begun:
        Run.objects.filter(pk=run_id, first_token_at=None).update(first_token_at=moments[run_id])
    return begun
