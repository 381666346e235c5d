"""Who looks, and what becomes of the due time: each step is one transaction, and none of them waits for the network.

A look is held for a minute by whoever claimed it. Its number (``Occurrence.looks``) goes along with what was seen, so
that one who was thought dead writes nothing when he comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from common.prepared import prepared
from triggers.firing import go_on, lock_for_look
from triggers.models import Occurrence, Schedule
from triggers.outcomes import note_failure
from triggers.watching.looks import Sight, shortened
from triggers.watching.settings import watch_of
from triggers.watching.telling import quoted

HOLD = timedelta(seconds=60)
AGAIN = timedelta(seconds=20)
MOST_LOOKS = 3
UNCHANGED = "Unchanged."
NOT_FINISHED = "Zerg could not finish it."
Outcome = Occurrence.Outcome


@dataclass(frozen=True)
class Held:
    """A due time that is being looked for, and what its schedule said of the look when it was claimed."""

    occurrence_id: int
    schedule_id: int
    looks: int
    watch: tuple[str, str, str]
    seen: Mapping[str, Any]


def waiting(count: int, *, owners_at_most: int, busy_owners: Mapping[int, int]) -> list[tuple[int, int]]:
    """Up to ``count`` due times that nobody looks for, with their owners, who take turns.

    ``busy_owners`` says how many of each are being looked for here; nobody has more than ``owners_at_most``.
    """
    if not _one_to_look_for():  # as nearly always, and that is quickly told
        return []
    full = [owner for owner, number in busy_owners.items() if number >= owners_at_most]
    turn = Window(RowNumber(), partition_by="schedule__owner", order_by=["scheduled_for", "id"])
    rows = _free().exclude(schedule__owner__in=full).annotate(turn=turn).order_by("turn", "scheduled_for")
    found: list[tuple[int, int]] = []
    taken = dict(busy_owners)
    for pk, owner in rows.values_list("pk", "schedule__owner")[: 4 * count]:
        if len(found) < count and taken.get(owner, 0) < owners_at_most:
            taken[owner] = taken.get(owner, 0) + 1
            found.append((pk, owner))
    return found


@prepared
def _one_to_look_for() -> QuerySet[Occurrence, int]:
    return Occurrence.objects.filter(outcome=Outcome.CHECKING).order_by().values_list("pk", flat=True)[:1]


def claim(occurrence_id: int) -> Held | None:
    """Takes a look; None when somebody else has it, or when it is settled."""
    held_until = timezone.now() + HOLD
    if not _free().filter(pk=occurrence_id).update(held_until=held_until, looks=F("looks") + 1):
        return None
    row = Occurrence.objects.select_related("schedule").filter(pk=occurrence_id).first()
    if row is None:
        return None
    held = Held(row.pk, row.schedule_id, row.looks, watch_of(row.schedule), row.schedule.watch_seen)
    if held.looks > MOST_LOOKS:  # all who looked are gone without a word
        give_up(held, NOT_FINISHED)
        return None
    return held


@transaction.atomic
def settle(held: Held, sight: Sight | None) -> None:
    """Starts the run when something changed, else writes down that nothing did. Twice is harmless.

    None: there is nothing to look at any more, so it runs.
    """
    schedule = lock_for_look(held.schedule_id)
    row = _mine(held).first()
    if schedule is None or row is None:
        return
    if watch_of(schedule) != held.watch or schedule.watch_seen != held.seen:
        _mine(held).update(held_until=None)  # what was seen is compared with what nobody remembers: look again
        return
    if sight is None:
        decided = go_on(schedule, row, None)
    elif sight.change is None:
        decided = Occurrence(outcome=Outcome.SKIPPED, reason=UNCHANGED)
    else:
        decided = go_on(schedule, row, quoted(shortened(sight.change), schedule.watch_url))
    _write(held, row, decided)
    if sight is not None:
        Schedule.objects.filter(pk=schedule.pk).update(watch_seen=sight.seen)


def fail(held: Held, sentence: str) -> None:
    """A look that failed is tried again soon; the third time the due time is given up."""
    if held.looks >= MOST_LOOKS:
        give_up(held, sentence)
    else:
        _mine(held).update(held_until=timezone.now() + AGAIN)


@transaction.atomic
def give_up(held: Held, sentence: str) -> None:
    """The due time is skipped, and counts as a failure of its schedule."""
    schedule = lock_for_look(held.schedule_id)
    row = _mine(held).first()
    if schedule is None or row is None:
        return
    words = f"The look failed: {sentence}"
    _write(held, row, Occurrence(outcome=Outcome.SKIPPED, reason=words))
    note_failure(schedule, words)


def _write(held: Held, row: Occurrence, decided: Occurrence) -> None:
    """The outcome, with what the ledger had to say already of missed times before it."""
    reason = " ".join(filter(None, [decided.reason, row.reason]))[:300]
    written = _mine(held).update(outcome=decided.outcome, reason=reason, run=decided.run, held_until=None)
    assert written == 1, "the schedule's lock keeps everybody else away"


def _free() -> QuerySet[Occurrence]:
    return Occurrence.objects.filter(Q(held_until=None) | Q(held_until__lte=timezone.now()), outcome=Outcome.CHECKING)


def _mine(held: Held) -> QuerySet[Occurrence]:
    return Occurrence.objects.filter(pk=held.occurrence_id, outcome=Outcome.CHECKING, looks=held.looks)
