"""A thread from a file that ``threads.export.as_json`` has made: all of its branches, as a thread of whoever brings it.

Nothing of a file is trusted. Each value is checked before anything is stored, in one transaction; HTML is made here, by
the renderer that all text goes through; a call that nobody has answered is never made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NoReturn, TypeAlias

import msgspec
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from msgspec import Meta

from accounts.models import User
from agents.models import Agent, MemoryStrategy
from common.bulk import save_each
from common.errors import ZergError
from engine import Usage
from threads.drafts import save_draft
from threads.models import Thread, ThreadMessage
from threads.reading import mark_read
from threads.services import add_message, change, create_thread, spend
from threads.transcript import open_calls

MOST_BYTES = 16 * 1024 * 1024
MOST_CHARS = 1_000_000
"""Of one text."""
STORED_AT_ONCE = 500
FIRST_DAY = datetime(1970, 1, 2, tzinfo=UTC)
NOT_MADE = "Not called: the thread was saved before."

Role: TypeAlias = ThreadMessage.Role
Kind: TypeAlias = ThreadMessage.Kind
Status: TypeAlias = ThreadMessage.Status
Source: TypeAlias = ThreadMessage.Source
WAITS = {Status.QUEUED, Status.STOPPED}
"""What a message can be that never joined the transcript; stopped: it was taken back."""

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Text = Annotated[str, Meta(max_length=MOST_CHARS)]
Line = Annotated[str, Meta(max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]


class _Call(msgspec.Struct):
    id: Line
    name: Line
    arguments: Text


class _Usage(msgspec.Struct):
    input_tokens: Count
    cached_tokens: Count = 0
    output_tokens: Count = 0
    estimated: bool = False


class _Failure(msgspec.Struct):
    code: Annotated[str, Meta(max_length=40)]
    message: Text


class _Message(msgspec.Struct, kw_only=True):
    """A row of the file. Its ids hold within the file; those of runs, and of programs' own, mean nothing here."""

    id: Id
    seq: Id | None
    parent_id: Id | None
    role: Role
    content: Text
    timestamp: Moment
    status: Status = Status.COMPLETE
    source: Source = Source.USER
    kind: Kind = Kind.MESSAGE
    reasoning: Text = ""
    tool_calls: list[_Call] | None = None
    tool_call_id: Line | None = None
    name: Line | None = None
    covers_seq: Id | None = None
    usage: _Usage | None = None
    cost_usd: Decimal | None = None
    error: _Failure | None = None
    detail: Text = ""


class _File(msgspec.Struct):
    format: Literal["zerg-thread"]
    title: Line
    messages: list[_Message]
    leaf_id: Id | None = None
    agent: Text = ""
    memory_strategy: Line = ""
    busy_policy: Thread.BusyPolicy = Thread.BusyPolicy.QUEUE
    created_at: Moment | None = None


def import_thread(user: User, data: bytes, *, agent: Agent | None = None) -> Thread:
    """A new thread of ``user`` with ``agent``, else with their agent that is called as in the file, else their first.

    What waited in the queue when the file was made is a draft: nothing is sent by itself. Raises ZergError, which
    names what is wrong with the file; then nothing is stored.
    """
    file = _read(data)
    _check(file)
    agent = agent or _agent_for(user, file.agent)
    now = timezone.now()
    with transaction.atomic():
        thread = create_thread(agent, owner=user, title=file.title, title_by_person=bool(file.title))
        thread.memory_strategy, thread.busy_policy = file.memory_strategy, file.busy_policy
        thread.created_at = file.created_at or now
        thread.save(update_fields=["memory_strategy", "busy_policy", "created_at"])
        with change(thread.pk) as locked:
            _store(locked, file, user)
        mark_read(locked, user, seq=locked.last_seq)
        waiting = [row.content for row in file.messages if row.status == Status.QUEUED]
        save_draft(thread, by=user, text="\n\n".join(waiting), at=now) if waiting else None
    return locked


def _agent_for(user: User, name: str) -> Agent:
    agents = (
        Agent.objects.for_user(user).filter(archived_at=None).order_by(F("last_run_at").desc(nulls_last=True), "-pk")
    )
    agent = agents.filter(name=name).first() or agents.first()
    if agent is None:
        raise ZergError("invalid", "A thread belongs to an agent. Make one first, then import again.")
    return agent


# Reading


def _read(data: bytes) -> _File:
    if len(data) > MOST_BYTES:
        raise ZergError("too_large", f"The file is too large: at most {MOST_BYTES // 2**20} MiB can be imported.")
    try:
        return msgspec.json.decode(data, type=_File)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        _refuse(where.strip(".`"), what.replace("`", ""))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse("", f"it is no JSON ({error})")


def _refuse(where: str, what: str) -> NoReturn:
    hint = "" if where else " Choose a file that “Save as JSON” has made."
    raise ZergError("invalid", f"Nothing was imported. {where or 'The file'}: {what}.{hint}", {where or "file": what})


# Checking what no type says


def _check(file: _File) -> None:
    placed: set[int] = set()
    seen: set[int] = set()
    latest = timezone.now() + timedelta(days=1)
    for part in ("title", "agent"):
        _require_text(part, getattr(file, part))
    if file.memory_strategy not in ("", *MemoryStrategy.values):
        _refuse("memory_strategy", f"it must be empty or one of {', '.join(MemoryStrategy.values)}")
    _require_moment("created_at", file.created_at, latest)
    for number, row in enumerate(file.messages):
        where = f"messages[{number}]"
        _check_place(where, row, placed, seen)
        _check_values(where, row)
        _require_moment(f"{where}.timestamp", row.timestamp, latest)
        seen.add(row.id)
        if row.seq is not None:
            placed.add(row.id)
    if file.leaf_id not in placed and (placed or file.leaf_id is not None):
        _refuse("leaf_id", "it must be the id of a message that has a seq")


def _check_place(where: str, row: _Message, placed: set[int], seen: set[int]) -> None:
    if row.id in seen:
        _refuse(f"{where}.id", f"there is another message {row.id}")
    if row.parent_id is not None and row.parent_id not in placed:
        _refuse(f"{where}.parent_id", f"there is no message {row.parent_id} above it")
    if row.seq is None and (row.status not in WAITS or row.role != Role.USER):
        _refuse(f"{where}.seq", "only what a person sent and has waited has none")
    if row.seq is not None and (row.seq != len(placed) + 1 or row.status == Status.QUEUED):
        _refuse(f"{where}.seq", f"the messages of the transcript are numbered 1, 2, 3 …; this one is {len(placed) + 1}")


def _check_values(where: str, row: _Message) -> None:
    texts = {"content": row.content, "reasoning": row.reasoning, "detail": row.detail, "name": row.name}
    texts |= {"tool_call_id": row.tool_call_id}
    for number, call in enumerate(row.tool_calls or []):
        texts |= {f"tool_calls[{number}].{name}": getattr(call, name) for name in ("id", "name", "arguments")}
    if row.error:
        texts |= {"error.code": row.error.code, "error.message": row.error.message}
    for name, text in texts.items():
        _require_text(f"{where}.{name}", text)
    cost = row.cost_usd
    if cost is not None and not (cost.is_finite() and 0 <= cost < 10**8 and cost == round(cost, 8)):
        _refuse(f"{where}.cost_usd", "it must be an amount in dollars with at most 8 decimals")
    if row.covers_seq and (row.kind != Kind.SUMMARY or row.covers_seq > (row.seq or 0)):
        _refuse(f"{where}.covers_seq", "only a summary has one: the seq of an earlier message")


def _require_text(where: str, text: str | None) -> None:
    if text and "\0" in text:
        _refuse(where, "it holds a NUL character, which cannot be stored")


def _require_moment(where: str, moment: datetime | None, latest: datetime) -> None:
    if moment is not None and not FIRST_DAY <= moment <= latest:
        _refuse(where, "it must be a time since 1970 that is not in the future")


# Storing


def _store(thread: Thread, file: _File, user: User) -> None:
    """The rows, inside ``change``: those that waited stay out of the transcript, those being written end here."""
    rows = {row.id: _row(thread, row, user) for row in file.messages if row.status != Status.QUEUED}
    ThreadMessage.objects.bulk_create(rows.values(), batch_size=STORED_AT_ONCE)
    for message in file.messages:
        if message.parent_id is not None and message.id in rows:
            rows[message.id].parent_id = rows[message.parent_id].pk
    save_each(list(rows.values()), ["parent"])
    thread.last_seq = sum(row.seq is not None for row in rows.values())
    thread.leaf = rows.get(file.leaf_id or 0)
    for row in rows.values():
        counts = row.input_tokens or 0, row.cached_tokens or 0, row.output_tokens or 0
        if any(counts) or row.cost_usd is not None:
            spend(thread, Usage(*counts, estimated=row.usage_estimated), row.cost_usd)
    for call in open_calls(thread):  # whoever runs the thread would make them
        named: dict[str, Any] = {"tool_call_id": call["id"], "name": call["name"]}
        add_message(thread, role=Role.TOOL, content=NOT_MADE, source=Source.TOOL, status=Status.FAILED, **named)


def _row(thread: Thread, row: _Message, user: User) -> ThreadMessage:
    by_person = row.role == Role.USER and row.source in (Source.USER, Source.API)
    return ThreadMessage(
        thread=thread,
        version=thread.version,
        author=user if by_person else None,
        seq=row.seq,
        role=row.role,
        kind=row.kind,
        content=row.content,
        reasoning=row.reasoning,
        tool_calls=_calls(row.tool_calls or []),
        tool_call_id=row.tool_call_id or "",
        name=row.name or "",
        status=Status.STOPPED if row.status == Status.STREAMING else row.status,
        source=row.source,
        covers_seq=row.covers_seq,
        timestamp=row.timestamp,
        cost_usd=row.cost_usd,
        **_more(row),
    )


def _calls(calls: Sequence[_Call]) -> list[dict[str, str]]:
    return [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in calls]


def _more(row: _Message) -> dict[str, Any]:
    more: dict[str, Any] = {"error_detail": row.detail}
    if row.error:
        more |= {"error_code": row.error.code, "error_message": row.error.message}
    if usage := row.usage:
        more |= {
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "usage_estimated": usage.estimated,
        }
    return more
