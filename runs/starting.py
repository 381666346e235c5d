"""The rows of runs that are started: which there are already, whose turn each is, and the messages they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from common.bulk import give_keys, insert_each
from common.prepared import prepared
from runs import queue
from runs.models import UNFINISHED, Run
from runs.terms import NOTHING_ASKED, Terms
from threads.models import Thread, ThreadMessage
from threads.services import name_after, new_message, require_same

SOURCE_OF = {
    Run.Trigger.CHAT: ThreadMessage.Source.USER,
    Run.Trigger.MANUAL: ThreadMessage.Source.USER,
    Run.Trigger.SCHEDULE: ThreadMessage.Source.SCHEDULE,
    Run.Trigger.WEBHOOK: ThreadMessage.Source.WEBHOOK,
    Run.Trigger.API: ThreadMessage.Source.API,
    Run.Trigger.AGENT: ThreadMessage.Source.AGENT,
}
PEOPLE = {Run.Trigger.CHAT, Run.Trigger.MANUAL, Run.Trigger.API}
MESSAGES = {Run.Trigger.CHAT, Run.Trigger.API}
"""What the busy policy of a thread is for. What a schedule starts has an overlap policy of its own."""


@dataclass(frozen=True)
class Start:
    """A run that is to be started, on the thread with this id. ``content`` is clean; None adds no message.

    ``after`` is the message that it follows, as ``threads.services.new_message`` has it: another one than the last
    makes a branch. ``terms`` are what is asked of it, by the schedule or the webhook with the id.
    """

    thread_id: int
    content: str | None
    author: User
    trigger: Run.Trigger
    key: str | None = None
    after: int | None = None
    terms: Terms = NOTHING_ASKED
    schedule_id: int | None = None
    webhook_id: int | None = None


def same_runs(starts: Sequence[Start]) -> dict[Start, Run]:
    """The runs that were started before with the same key. Raises ZergError where that was with another text."""
    keyed = {(start.thread_id, start.key): start for start in starts if start.key}
    if not keyed:
        return {}
    found = {}
    for run in _keyed(tuple({thread for thread, _ in keyed}), tuple({key for _, key in keyed if key})):
        if start := keyed.get((run.thread_id, run.key or "")):
            if run.input_message and start.content is not None:
                require_same(run.input_message, role=ThreadMessage.Role.USER, content=start.content)
            found[start] = run
    return found


@prepared
def _keyed(thread_ids: Any, keys: Any) -> QuerySet[Run]:
    rows = Run.objects.filter(thread__id__in=thread_ids, key__in=keys)
    return rows.select_related("input_message").order_by()


def new_runs(starts: Sequence[Start], threads: Mapping[int, Thread], busy: set[int]) -> list[Run]:
    """Stores the runs with their messages; inside ``changes`` of their threads, of which those with the ids ``busy``
    are being worked on."""
    runs, messages = [], []
    for start in starts:
        thread = threads[start.thread_id]
        run = Run(
            thread=thread,
            agent_id=thread.agent_id,
            owner_id=thread.owner_id,
            actor=start.author,
            trigger=start.trigger,
            position=_position(start, thread, is_busy=thread.pk in busy),
            key=start.key,
            branches=start.after is not None,
            schedule_id=start.schedule_id,
            webhook_id=start.webhook_id,
            terms_stored=start.terms.as_json(),
            queued_at=timezone.now(),
            version=thread.version,
        )
        if start.content is not None:
            messages.append((run, _message(thread, start, queued=thread.pk in busy)))
        runs.append(run)
        busy.add(thread.pk)
    _store(runs, messages)
    return runs


@prepared
def worked_on(thread_ids: Any) -> QuerySet[Run, int]:
    rows = Run.objects.filter(thread__id__in=thread_ids, status__in=UNFINISHED)
    return rows.order_by().values_list("thread_id", flat=True)


def _message(thread: Thread, start: Start, *, queued: bool) -> ThreadMessage:
    assert start.content is not None
    name_after(thread, start.content)
    return new_message(
        thread,
        queued=queued,
        after=start.after,
        role=ThreadMessage.Role.USER,
        content=start.content,
        source=SOURCE_OF[start.trigger],
        author=start.author,
        client_message_id=start.key,
    )


def _store(runs: Sequence[Run], messages: Sequence[tuple[Run, ThreadMessage]]) -> None:
    """Stores new runs with their messages; each knows the other by its id."""
    give_keys(runs)
    for run, message in messages:
        message.run_id = run.pk
    insert_each([message for _, message in messages])
    for run, message in messages:
        run.input_message = message
        if message.seq is not None:
            run.thread.leaf = message
    insert_each(runs)


def _position(start: Start, thread: Thread, *, is_busy: bool) -> int:
    if not is_busy and start.content is not None:
        return Run.Position.HEAD
    if is_busy and start.trigger in MESSAGES:
        return queue.make_way(thread)
    return Run.Position.PERSON if start.trigger in PEOPLE else Run.Position.BACKGROUND
