"""Old runs go, where the operator wants it; what was said stays."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from runs.models import UNFINISHED, Notice, Run

BATCH = 500
"""So many make a transaction: on SQLite everybody who writes waits for it."""
MOST_BATCHES = 200
"""An hour's work; what is left is found by the next."""


def prune_runs() -> int:
    """Deletes runs with their steps that ended more than ZERG_KEEP_RUNS_DAYS ago (0: never), and gives their number.

    The last run of each thread stays, and what somebody is still to look at. Messages stay all, and the totals of
    tokens and costs on their threads.
    """
    if not settings.KEEP_RUNS_DAYS:
        return 0
    newer = Run.objects.filter(thread=OuterRef("thread"), pk__gt=OuterRef("pk"))
    waiting = Notice.objects.filter(run=OuterRef("pk"), done_at=None)
    old = Run.objects.filter(finished_at__lt=timezone.now() - timedelta(days=settings.KEEP_RUNS_DAYS))
    rows = old.exclude(status__in=UNFINISHED).filter(Exists(newer), ~Exists(waiting)).order_by("pk")
    pruned = 0
    for _ in range(MOST_BATCHES):
        ids = list(rows.values_list("pk", flat=True)[:BATCH])
        Run.objects.filter(pk__in=ids).delete()
        pruned += len(ids)
        if len(ids) < BATCH:
            break
    return pruned
