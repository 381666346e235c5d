"""Reading a thread's branch: for the page, newest first and windowed; for the model, as the engine's messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from common.prepared import prepared
from engine import Message, ToolCall
from threads.models import Thread, ThreadMessage

CHUNKS = (64, 256)
"""A page needs one of the first size; whoever needs more reads on in chunks of the second."""


def walk_back(
    thread_id: int,
    leaf_id: int | None,
    before: int | None = None,
    messages: QuerySet[ThreadMessage, ThreadMessage] | None = None,
) -> Iterator[ThreadMessage]:
    """The rows of a branch from leaf to root, read in chunks: a parent's seq is always lower than its child's.

    With ``before``, those that the row with this seq follows, in whichever branch; none when there is no such row.
    ``messages`` says what is read of each.
    """
    wanted = leaf_id
    if wanted is None:
        return
    read = ThreadMessage.objects.all() if messages is None else messages
    size, next_size = CHUNKS
    if messages is None and before is None:
        chunk = _end_of(thread_id, wanted)
    else:
        end = {"pk": wanted} if before is None else {"seq": before}
        chunk = list(up_to(read, thread_id, **end)[:size])
    while True:
        if before is not None and chunk:
            wanted, before = chunk[0].parent_id, None
        for row in chunk:
            if row.pk == wanted:
                wanted = row.parent_id
                yield row
        if wanted is None or len(chunk) < size:
            return
        rest = _placed(read, thread_id).filter(seq__lt=chunk[-1].seq)
        chunk, size = list(rest[:next_size]), next_size


def _placed(messages: QuerySet[ThreadMessage, ThreadMessage], thread_id: Any) -> QuerySet[ThreadMessage, ThreadMessage]:
    """Those of a thread's transcript, in whichever branch, the newest first."""
    return messages.filter(thread_id=thread_id, seq__isnull=False).order_by("-seq")


def up_to(
    messages: QuerySet[ThreadMessage, ThreadMessage], thread_id: Any, **end: Any
) -> QuerySet[ThreadMessage, ThreadMessage]:
    """The same, as far as the row that ``end`` names."""
    placed = _placed(messages, thread_id)
    return placed.filter(seq__lte=placed.filter(**end).values("seq")[:1])


@prepared
def _end_of(thread_id: Any, leaf_id: Any) -> QuerySet[ThreadMessage]:
    return up_to(ThreadMessage.objects.all(), thread_id, pk=leaf_id)[: CHUNKS[0]]


def ids_after(thread_id: int, leaf_id: int | None, seq: int) -> list[int]:
    """The rows after number ``seq`` of the branch that ends in ``leaf_id``, oldest first."""
    parents = dict(_parents_after(thread_id, seq))
    found = []
    at = leaf_id
    while at in parents:
        found.append(at)
        at = parents[at]
    return found[::-1]


@prepared
def _parents_after(thread_id: Any, seq: Any) -> QuerySet[ThreadMessage, tuple[int, int | None]]:
    return ThreadMessage.objects.filter(thread_id=thread_id, seq__gt=seq).values_list("pk", "parent_id")


def branch(thread: Thread, leaf_id: int | None) -> list[ThreadMessage]:
    """The whole branch that ends in ``leaf_id``, oldest first."""
    return list(walk_back(thread.pk, leaf_id))[::-1]


def history(rows: list[ThreadMessage]) -> tuple[list[Message], list[ThreadMessage]]:
    """The engine's messages for a branch, and the rows behind those that are not summaries.

    What failed before it said anything is left out.
    """
    kept = [row for row in rows if is_said(row)]
    spoken = [row for row in kept if row.kind != ThreadMessage.Kind.SUMMARY]
    return [_as_message(row, spoken) for row in kept], spoken


def is_said(row: ThreadMessage) -> bool:
    """Whether a model is told of it: what failed before it said anything is nothing to go on from.

    A summary without a seq stands for earlier runs of a schedule, and is read by the next of them alone.
    """
    if row.kind == ThreadMessage.Kind.SUMMARY:
        return row.covers_seq is not None
    if row.role == ThreadMessage.Role.ASSISTANT:
        return bool(row.content or row.tool_calls)
    return True


def _as_message(row: ThreadMessage, spoken: list[ThreadMessage]) -> Message:
    if row.kind == ThreadMessage.Kind.SUMMARY:
        covers = sum(1 for other in spoken if (other.seq or 0) <= (row.covers_seq or 0))
        return Message(role="system", content=row.content, is_summary=True, covers=covers)
    return Message(
        role=row.role,  # type: ignore[arg-type]  # the model's choices are the engine's roles
        content=row.content,
        tool_calls=tuple(ToolCall(call["id"], call["name"], call["arguments"]) for call in row.tool_calls),
        tool_call_id=row.tool_call_id,
        name=row.name,
    )


def open_calls(thread: Thread) -> list[dict[str, str]]:
    """The calls at the end of the branch being read that have no result yet, in their order."""
    leaf = thread.leaf
    if leaf is None or not (leaf.tool_calls or leaf.role == ThreadMessage.Role.TOOL):
        return []
    answered = set()
    for row in walk_back(thread.pk, leaf.pk):
        if row.role != ThreadMessage.Role.TOOL:
            return [call for call in row.tool_calls if call["id"] not in answered]
        answered.add(row.tool_call_id)
    return []


def leaf_below(thread: Thread, message: ThreadMessage) -> int:
    """The newest end of the branch that goes through ``message``."""
    newest_child = {parent_id: pk for pk, parent_id in _later(thread, message)}
    end = message.pk
    while end in newest_child:
        end = newest_child[end]
    return end


def is_above(thread: Thread, message: ThreadMessage, leaf_id: int | None) -> bool:
    """Whether the branch that ends in ``leaf_id`` goes through ``message``."""
    parent_of = dict(_later(thread, message))
    at = leaf_id
    while at in parent_of:
        at = parent_of[at]
    return at == message.pk


def end_through(thread: Thread, message: ThreadMessage) -> int | None:
    """The end of the branch through ``message``: the one the thread goes on with where it can be, else the newest."""
    return thread.leaf_id if is_above(thread, message, thread.leaf_id) else leaf_below(thread, message)


def _later(thread: Thread, message: ThreadMessage) -> Iterable[tuple[int, int | None]]:
    """The rows that came after ``message``, each with its parent, in their order."""
    later = ThreadMessage.objects.filter(thread=thread, seq__gt=message.seq).order_by("seq")
    return later.values_list("pk", "parent_id")
