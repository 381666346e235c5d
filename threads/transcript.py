"""Reading a thread's branch: for the page, newest first and windowed; for the model, as the engine's messages."""

from __future__ import annotations

from collections.abc import Iterator

from engine import Message, ToolCall
from threads.models import Thread, ThreadMessage

CHUNK = 200


def walk_back(thread_id: int, leaf_id: int | None) -> Iterator[ThreadMessage]:
    """The rows of a branch from leaf to root, read in chunks: a parent's seq is always lower than its child's."""
    wanted, before = leaf_id, None
    while wanted is not None:
        rows = ThreadMessage.objects.filter(thread_id=thread_id, seq__isnull=False).order_by("-seq")
        if before is not None:
            rows = rows.filter(seq__lt=before)
        chunk = list(rows[:CHUNK])
        for row in chunk:
            if row.pk == wanted:
                wanted = row.parent_id
                yield row
        if len(chunk) < CHUNK:
            return
        before = chunk[-1].seq


def branch(thread: Thread, leaf_id: int | None) -> list[ThreadMessage]:
    """The whole branch that ends in ``leaf_id``, oldest first."""
    return list(walk_back(thread.pk, leaf_id))[::-1]


def history(rows: list[ThreadMessage]) -> tuple[list[Message], list[ThreadMessage]]:
    """The engine's messages for a branch, and the rows behind those that are not summaries.

    What failed before it said anything is left out.
    """
    kept = [row for row in rows if _is_said(row)]
    spoken = [row for row in kept if row.kind != ThreadMessage.Kind.SUMMARY]
    return [_as_message(row, spoken) for row in kept], spoken


def _is_said(row: ThreadMessage) -> bool:
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
