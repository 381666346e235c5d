"""Old rows of the ledger go."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from triggers.models import Occurrence

BATCH = 1000
"""So many make a transaction: on SQLite everybody who writes waits for it."""
MOST_BATCHES = 500
"""An hour's work; what is left is found by the next."""


def prune_occurrences() -> int:
    """Deletes rows older than ZERG_KEEP_OCCURRENCES_DAYS, and gives their number. The last of each schedule stays."""
    newer = Occurrence.objects.filter(schedule=OuterRef("schedule"), scheduled_for__gt=OuterRef("scheduled_for"))
    old = Occurrence.objects.filter(fired_at__lt=timezone.now() - timedelta(days=settings.KEEP_OCCURRENCES_DAYS))
    rows = old.exclude(outcome=Occurrence.Outcome.CHECKING).filter(Exists(newer)).order_by("fired_at")
    pruned = 0
    for _ in range(MOST_BATCHES):
        ids = list(rows.values_list("pk", flat=True)[:BATCH])
        Occurrence.objects.filter(pk__in=ids).delete()
        pruned += len(ids)
        if len(ids) < BATCH:
            break
    return pruned
