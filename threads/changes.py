"""The rows of a thread that changed after a version: what whoever watches it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Q, QuerySet

from common.database import in_database
from common.prepared import prepared
from threads.models import Thread, ThreadMessage


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
    runs = list(_runs_of(thread_id).filter(finished_at=None)) if after < 0 else _changed_runs(thread_id, after)
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


@prepared
def _changed_runs(thread_id: Any, after: Any) -> QuerySet[Any]:
    return _runs_of(thread_id).filter(version__gt=after)


def _runs_of(thread_id: Any) -> QuerySet[Any]:
    runs: Any = Thread._meta.get_field("runs").related_model
    rows: QuerySet[Any] = runs.objects.filter(thread=thread_id).prefetch_related("steps").order_by("id")
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
