"""A thread as a file, written in pieces however long it is: the branch being read as markdown, all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.utils import timezone
from django.utils.text import slugify

from common.database import in_database
from common.markdown import close_fence
from common.serialize import iso
from threads.models import Thread, ThreadMessage
from threads.serializers import message_json

CHUNK = 100
"""Rows in memory at once."""

FORMAT = "zerg-thread"
Role, Kind, Status = ThreadMessage.Role, ThreadMessage.Kind, ThreadMessage.Status
SAID_BY = {Role.USER: "You", Role.SYSTEM: "Zerg"}
ENDINGS = {Status.STOPPED: "Stopped.", Status.STREAMING: "Still being written."}


async def streamed(pieces: Iterator[str]) -> AsyncIterator[bytes]:
    """The pieces as a response's body. Each is made in a thread of its own, so no query may span two of them."""
    while (piece := await in_database(next, pieces, None)) is not None:
        yield piece.encode()


def file_name(thread: Thread, ending: str) -> str:
    """A name that every file system takes: the title's letters and digits, and the thread's number."""
    return f"{slugify(thread.title)[:60].strip('-') or 'thread'}-{thread.pk}.{ending}"


def as_markdown(thread: Thread, leaf_id: int | None = None) -> Iterator[str]:
    """The branch that ends in ``leaf_id``, or the one being read. Answers are as they were written; what people said
    is quoted, since it was never markdown."""
    yield f"# {_one_line(str(thread))}\n\n{_one_line(thread.agent.name)} · {iso(thread.created_at)}\n"
    ids = _branch_ids(thread, leaf_id)
    for start in range(0, len(ids), CHUNK):
        rows = thread.messages.in_bulk(ids[start : start + CHUNK])
        said = [_said(thread, rows[pk]) for pk in ids[start : start + CHUNK] if pk in rows]
        yield "".join(said)


def _branch_ids(thread: Thread, leaf_id: int | None) -> list[int]:
    """The rows of a branch, oldest first: of ten thousand only the numbers are in memory."""
    placed = thread.messages.filter(seq__isnull=False).values_list("pk", "parent_id")
    parents: dict[int, int | None] = dict(placed.iterator())
    at = leaf_id if leaf_id in parents else thread.leaf_id
    ids = []
    while at in parents:
        ids.append(at)
        at = parents[at]
    return ids[::-1]


def _said(thread: Thread, row: ThreadMessage) -> str:
    """One message with its heading. A tool's results are in the JSON, as is what the model is told in place of more."""
    if row.role == Role.TOOL or row.kind == Kind.SUMMARY:
        return ""
    name = SAID_BY.get(Role(row.role)) or _one_line(thread.agent.name)
    parts = [f"\n## {name} · {row.timestamp:%Y-%m-%d %H:%M} UTC"]
    if row.content:
        parts.append(close_fence(row.content) if row.role == Role.ASSISTANT else _quoted(row.content))
    if row.tool_calls:
        parts.append("*Used " + ", ".join(f"`{call['name']}`" for call in row.tool_calls) + ".*")
    ending = ENDINGS.get(Status(row.status)) or (f"Failed: {row.error_message}" if row.status == Status.FAILED else "")
    if ending:
        parts.append(f"*{_one_line(ending)}*")
    return "\n\n".join(parts) + "\n"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def as_json(thread: Thread) -> Iterator[str]:
    """Everything, with all branches: rows in the order in which they joined the thread, then those that wait."""
    head: dict[str, Any] = {
        "format": FORMAT,
        "exported_at": iso(timezone.now()),
        "title": thread.title,
        "agent": thread.agent.name,
        "memory_strategy": thread.memory_strategy,
        "busy_policy": thread.busy_policy,
        "created_at": iso(thread.created_at),
        "leaf_id": thread.leaf_id,
    }
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "messages": ['
    mark = "\n"
    for rows in _stretches(thread):
        yield "".join([mark, ",\n".join(json.dumps(_row(row), ensure_ascii=False) for row in rows)])
        mark = ",\n"
    yield "\n]}\n"


def _stretches(thread: Thread) -> Iterator[list[ThreadMessage]]:
    placed, seq = thread.messages.filter(seq__isnull=False).order_by("seq"), 0
    while rows := list(placed.filter(seq__gt=seq)[:CHUNK]):
        yield rows
        seq = rows[-1].seq or 0
    if rows := list(thread.messages.filter(seq=None).order_by("pk")):
        yield rows


def _row(row: ThreadMessage) -> dict[str, Any]:
    """What the API says of a message, and what only the page shows."""
    more = {"kind": row.kind, "reasoning": row.reasoning, "covers_seq": row.covers_seq, "detail": row.error_detail}
    return {**message_json(row), **{name: value for name, value in more.items() if value}}
