"""What a thread's page shows: rows put together into articles, for the page and for live frames alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Max
from django.utils.safestring import SafeString, mark_safe

from common.markdown import StreamRenderer, join_blocks, render_plain
from threads.models import Thread, ThreadMessage
from threads.transcript import walk_back

WINDOW = 50
ROWS_AT_MOST = 600

Role, Kind, Status = ThreadMessage.Role, ThreadMessage.Kind, ThreadMessage.Status
BY_ITSELF: dict[str, str] = {
    ThreadMessage.Source.SCHEDULE: "scheduled run",
    ThreadMessage.Source.WEBHOOK: "run by a webhook",
}


@dataclass
class ToolRow:
    """One call of a tool: ``state`` is working, done or failed; ``duration`` in seconds."""

    name: str
    state: str
    input: str
    output: str
    duration: float | None = None

    @property
    def words(self) -> str:
        return {"working": "Using", "done": "Used", "failed": "Failed"}[self.state]


@dataclass
class Divider:
    """The heading of a run that no human started."""

    label: str
    run_id: int
    moment: datetime


@dataclass
class Siblings:
    """Other answers to the same question: this is number ``index`` of ``count``."""

    index: int
    count: int
    previous_id: int | None
    next_id: int | None


@dataclass
class Item:
    """One article of the page, with everything that its partial needs."""

    message: ThreadMessage
    run: Any = None
    tools: list[ToolRow] = field(default_factory=list)
    siblings: Siblings | None = None
    divider: Divider | None = None
    is_last: bool = True
    """Of its run: the answer that can be asked for again."""
    blocks_html: SafeString = field(default_factory=lambda: SafeString(""))
    tail_html: SafeString = field(default_factory=lambda: SafeString(""))

    def context(self, thread: Thread) -> dict[str, Any]:
        """What the partials of an article need."""
        return {"item": self, "message": self.message, "run": self.run, "thread": thread}


@dataclass
class Window:
    """A stretch of a branch, oldest first. ``older_before`` is the seq to ask for what is older, or None."""

    items: list[Item]
    older_before: int | None


def window(thread: Thread, *, before: int | None = None, count: int = WINDOW) -> Window:
    """The newest ``count`` articles of the branch being read, or those before the seq ``before``."""
    rows: list[ThreadMessage] = []
    articles = 0
    walk = walk_back(thread.pk, thread.leaf_id)
    newer_skipped = (row for row in walk if before is None or (row.seq or 0) < before)
    for row in islice(newer_skipped, ROWS_AT_MOST):
        rows.append(row)
        articles += row.role != Role.TOOL
        if articles >= count:
            break
    rows.reverse()
    has_older = bool(rows) and rows[0].parent_id is not None
    return Window(items_of(thread, rows), rows[0].seq if has_older else None)


def items_of(thread: Thread, rows: Iterable[ThreadMessage], *, with_text: bool = True) -> list[Item]:
    """Articles for rows of one thread, in their order: a few queries, however many there are.

    ``with_text`` False leaves out the text of messages being written: a live frame brings it.
    """
    rows = list(rows)
    results = {row.tool_call_id: row for row in rows if row.role == Role.TOOL}
    shown = [row for row in rows if row.role != Role.TOOL]
    runs = {run.pk: run for run in _runs(thread, {row.run_id for row in shown if row.run_id})}
    siblings = _siblings(thread, shown)
    last_answers = set(
        ThreadMessage.objects.filter(thread=thread, run_id__in=runs, role=Role.ASSISTANT)
        .values("run_id")
        .annotate(last=Max("pk"))
        .values_list("last", flat=True)
    )
    items = []
    for row in shown:
        run = runs.get(row.run_id or 0)
        item = Item(row, run, siblings=siblings.get(row.pk))
        item.tools = [_tool_row(call, results.get(call["id"]), run) for call in row.tool_calls]
        if row.source in BY_ITSELF and row.run_id:
            item.divider = Divider(BY_ITSELF[row.source], row.run_id, row.timestamp)
        item.is_last = row.pk in last_answers
        if with_text or row.status != Status.STREAMING:
            item.blocks_html, item.tail_html = _rendered(row)
        items.append(item)
    return items


def _rendered(row: ThreadMessage) -> tuple[SafeString, SafeString]:
    """The finished blocks, and what follows them for the moment while the message is being written."""
    if row.role == Role.USER:
        return render_plain(row.content), SafeString("")
    if row.status == Status.STREAMING:
        renderer = StreamRenderer()
        renderer.feed(row.content)
        return join_blocks(renderer.blocks), SafeString(renderer.tail)
    if row.content and not row.html:  # written by a program, or before the renderer's last change
        renderer = StreamRenderer()
        renderer.feed(row.content)
        renderer.finish()
        return join_blocks(renderer.blocks), SafeString("")
    return mark_safe(row.html), SafeString("")  # noqa: S308 - made by the renderer when the message was settled


def _runs(thread: Thread, ids: set[int]) -> Iterable[Any]:
    if not ids:
        return []
    return thread.runs.filter(pk__in=ids).prefetch_related("steps")


def _tool_row(call: dict[str, str], result: ThreadMessage | None, run: Any) -> ToolRow:
    step = next((step for step in run.steps.all() if step.call_id == call["id"]), None) if run else None
    duration = (step.finished_at - step.started_at).total_seconds() if step and step.finished_at else None
    if result is None:
        return ToolRow(call["name"], "working", call["arguments"], "", duration)
    state = "done" if result.status == Status.COMPLETE else "failed"
    return ToolRow(call["name"], state, call["arguments"], result.content, duration)


def _siblings(thread: Thread, rows: list[ThreadMessage]) -> dict[int, Siblings]:
    """For each row that has others of its role beside it, its place among them."""
    parents = {row.parent_id for row in rows if row.role in {Role.ASSISTANT, Role.USER}}
    beside: dict[tuple[int | None, str], list[int]] = defaultdict(list)
    placed = ThreadMessage.objects.filter(thread=thread, seq__isnull=False, kind=Kind.MESSAGE)
    for parent_id, role, pk in (
        placed.filter(parent__in=[pk for pk in parents if pk]).order_by("pk").values_list("parent_id", "role", "pk")
    ):
        beside[parent_id, role].append(pk)
    places = {}
    for row in rows:
        ids = beside.get((row.parent_id, row.role), [])
        if len(ids) > 1 and row.pk in ids:
            at = ids.index(row.pk)
            before, after = (ids[at - 1] if at else None), (ids[at + 1] if at + 1 < len(ids) else None)
            places[row.pk] = Siblings(at + 1, len(ids), before, after)
    return places


def queue_of(thread: Thread) -> list[ThreadMessage]:
    """Messages that wait for their turn, in the order in which they will have it."""
    waiting = thread.runs.filter(status="queued", input_message__status=Status.QUEUED)
    rows = waiting.select_related("input_message").order_by("position", "id")
    return [run.input_message for run in rows if run.input_message]


def active_run_of(thread: Thread) -> Any:
    """The run that is going on or is about to; None when the thread is at rest."""
    return thread.runs.filter(finished_at=None).order_by("-status", "position", "id").first()


def leaf_below(thread: Thread, message: ThreadMessage) -> int:
    """The newest end of the branch that goes through ``message``."""
    newest_child: dict[int, int] = {}
    later = ThreadMessage.objects.filter(thread=thread, seq__gt=message.seq).order_by("seq")
    for parent_id, pk in later.values_list("parent_id", "pk"):
        if parent_id is not None:
            newest_child[parent_id] = pk
    end = message.pk
    while end in newest_child:
        end = newest_child[end]
    return end
