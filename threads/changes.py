"""The rows of a thread that changed after a version: what whoever watches it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Q, QuerySet

from common.database import in_database
from common.prepared import prepared
from threads.models import Thread, ThreadMessage, run_model


@dataclass(frozen=True)
class Changes:
    """The rows of a thread that changed after one version, up to ``version``. Runs come with their steps."""

    thread: Thread
    version: int
    messages: list[ThreadMessage]
    runs: list[Any]
    memo: dict[Any, Any] = field(default_factory=dict)

    def knows_not(self, version: int, epoch: str) -> bool:
        """Whether a client at ``version`` of ``epoch`` has what this thread's history does not: it must begin anew."""
        return epoch != self.thread.epoch or version > self.version


def read_changes(thread_id: int, after: int, limit: int | None = None) -> Changes | None:
    """The rows newer than version ``after``; only the newest ``limit`` messages, if given. None: the thread is gone.

    The version is read first: a row that changes in between comes once more, and is then nothing new.
    """
    thread = next(iter(_thread(thread_id)), None)
    if thread is None:
        return None
    # Runs before messages: an answer and the end of its run are one commit, and nobody sees the end without the answer.
    runs = _with_steps(_unfinished(thread_id) if after < 0 else _changed_runs(thread_id, after))
    if limit is None:
        messages = _changed_messages(thread_id, after)
    else:
        rows = _news_of(thread_id, after).order_by(F("seq").desc(nulls_first=True), "-id")
        messages = list(rows[:limit])[::-1]
    for row in (*runs, *messages):
        row.thread = thread
    return Changes(thread, thread.version, messages, runs)


@prepared
def _thread(thread_id: Any) -> QuerySet[Thread]:
    return Thread.objects.select_related("agent").filter(pk=thread_id)


def _with_steps(runs: list[Any]) -> list[Any]:
    """As ``prefetch_related("steps")`` has them."""
    steps = _steps_of(tuple(run.pk for run in runs)) if runs else []
    for run in runs:
        its_own = run.steps.all()
        its_own._result_cache = [step for step in steps if step.run_id == run.pk]
        its_own._prefetch_done = True
        run._prefetched_objects_cache = {"steps": its_own}
    return runs


@prepared
def _steps_of(run_ids: Any) -> QuerySet[Any]:
    steps: Any = run_model()._meta.get_field("steps").related_model
    rows: QuerySet[Any] = steps.objects.filter(run__id__in=run_ids).order_by("run", "index")
    return rows


@prepared
def _changed_runs(thread_id: Any, after: Any) -> QuerySet[Any]:
    return _runs_of(thread_id).filter(version__gt=after)


@prepared
def _unfinished(thread_id: Any) -> QuerySet[Any]:
    return _runs_of(thread_id).filter(finished_at=None)


def _runs_of(thread_id: Any) -> QuerySet[Any]:
    rows: QuerySet[Any] = run_model().objects.filter(thread=thread_id).order_by("id")
    return rows


@prepared
def _changed_messages(thread_id: Any, after: Any) -> QuerySet[ThreadMessage]:
    return _news_of(thread_id, after).order_by(F("seq").asc(nulls_last=True), "id")


def _news_of(thread_id: Any, after: Any) -> QuerySet[ThreadMessage]:
    """Messages being written always come: who has just joined knows nothing of them yet."""
    news = Q(version__gt=after) | Q(status=ThreadMessage.Status.STREAMING)
    return ThreadMessage.objects.filter(news, thread=thread_id).select_related("author")


async def read_changes_async(thread_id: int, after: int, limit: int | None = None) -> Changes | None:
    """The same from the event loop."""
    return await in_database(read_changes, thread_id, after, limit)
