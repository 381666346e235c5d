"""What a thread's page shows: rows put together into articles, for the page and for live frames alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.safestring import SafeString, mark_safe

from common.markdown import StreamRenderer, join_blocks, render_plain
from common.prepared import prepared
from threads.deeds import Deed, deeds_of
from threads.dividers import Divider, dividers_of
from threads.models import Thread, ThreadMessage, run_model
from threads.siblings import Siblings, siblings_of
from threads.tool_words import tool_words
from threads.tree import Tree, nodes_following

SHOWN_CHARS = 20_000
"""Of what a tool was given, or gave back. The rest is one click away."""
WHY_CHARS = 160

Role, Kind, Status = ThreadMessage.Role, ThreadMessage.Kind, ThreadMessage.Status


@dataclass
class ToolRow:
    """One call of a tool: ``state`` is working, done, failed or interrupted; ``duration`` in seconds."""

    name: str
    state: str
    input: str
    output: str
    duration: float | None = None
    siblings: Siblings | None = None
    step: Any = None

    @property
    def words(self) -> str:
        return tool_words(self.name, self.input, self.state)

    @property
    def why(self) -> str:
        """Of one that failed: what the tool said first."""
        said = self.output.strip() if self.state in {"failed", "interrupted"} else ""
        return shorten(said.splitlines()[0], WHY_CHARS, placeholder=" …") if said else ""

    @property
    def is_cut(self) -> bool:
        return max(len(self.input), len(self.output)) > SHOWN_CHARS


@dataclass
class Item:
    """One article of the page, with everything that its partial needs."""

    message: ThreadMessage
    run: Any = None
    tools: list[ToolRow] = field(default_factory=list)
    siblings: Siblings | None = None
    divider: Divider | None = None
    step: Any = None
    """The call that made it: how often it was tried, when it ended."""
    is_last: bool = True
    """Of its run: the answer that can be asked for again."""
    blocks_html: SafeString = field(default_factory=lambda: SafeString(""))
    tail_html: SafeString = field(default_factory=lambda: SafeString(""))

    @property
    def element(self) -> str:
        """The id of its article, which those of its parts begin with."""
        return f"m-{self.message.pk}"

    @property
    def deeds(self) -> list[Deed]:
        return deeds_of(self.message, self.run)

    def context(self, thread: Thread) -> dict[str, Any]:
        """What the partials of an article need."""
        return {"item": self, "element": self.element, "message": self.message, "run": self.run, "thread": thread}


@dataclass(frozen=True)
class AtHand:
    """What was read already, so that articles can be made without reading it again.

    ``runs`` by their ids, with their steps and their ``last_answer``; the ``tree`` around all the rows.
    """

    runs: dict[int, Any]
    tree: Tree


def items_of(
    thread: Thread,
    rows: Iterable[ThreadMessage],
    *,
    with_text: bool = True,
    previous: ThreadMessage | None = None,
    at_hand: AtHand | None = None,
) -> list[Item]:
    """Articles for rows of one thread, in their order: a few queries, however many there are.

    ``with_text`` False leaves out the text of messages being written: a live frame brings it. ``previous`` is the row
    before these, if it is known.
    """
    rows = list(rows)
    results = _results(rows)
    shown = [row for row in rows if row.role != Role.TOOL]
    known = at_hand.runs if at_hand else {}
    runs = {run.pk: run for run in _runs(thread, rows, known)}
    steps = {step.message_id: step for step in _steps(rows, known)}
    parents = {row.parent_id for row in rows}
    if at_hand:
        beside = [node for parent_id in parents for node in at_hand.tree.following(parent_id)]
    else:
        beside = nodes_following(thread.pk, parents)
    siblings = siblings_of(thread, rows, beside)
    dividers = dividers_of(rows, runs.values(), previous, at_hand.tree.moments() if at_hand else {})
    last_answers = {run.last_answer for run in runs.values()}
    items = []
    for row in shown:
        run = runs.get(row.run_id or 0)
        item = Item(row, run, siblings=siblings.get(row.pk), step=steps.get(row.pk))
        item.tools = [_tool_row(call, results.get((row.pk, call["id"])), steps, siblings) for call in row.tool_calls]
        item.divider = dividers.get(row.pk)
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


def _runs(thread: Thread, rows: list[ThreadMessage], known: dict[int, Any]) -> list[Any]:
    """The runs of these rows. The steps of those that are not known are not read: a run may have thousands."""
    ids = {row.run_id for row in rows if row.run_id}
    runs = [known[pk] for pk in ids if pk in known]
    if unknown := tuple(ids - known.keys()):
        # By their ids alone: a database that plans once for all threads would read all of a long thread's runs.
        runs += [run for run in _runs_with_last_answers(unknown) if run.thread_id == thread.pk]
    for run in runs:
        run.thread = thread
    return runs


@prepared
def _runs_with_last_answers(ids: Any) -> QuerySet[Any]:
    answers = ThreadMessage.objects.filter(run_id=OuterRef("pk"), role=Role.ASSISTANT).order_by("-pk")
    runs: QuerySet[Any] = run_model().objects.annotate(last_answer=Subquery(answers.values("pk")[:1]))
    return runs.filter(pk__in=ids)


def _steps(rows: list[ThreadMessage], known: dict[int, Any]) -> list[Any]:
    """The steps that made these rows."""
    steps = [step for run in known.values() for step in run.steps.all()]
    if ids := tuple(row.pk for row in rows if row.run_id and row.run_id not in known):
        steps += _steps_of(ids)
    return steps


@prepared
def _steps_of(message_ids: Any) -> QuerySet[Any]:
    steps: Any = run_model()._meta.get_field("steps").related_model
    # What a tool was given and gave back can be long, and is read from the messages.
    rows: QuerySet[Any] = steps.objects.filter(message__id__in=message_ids).defer("input", "output")
    return rows


def _results(rows: list[ThreadMessage]) -> dict[tuple[int, str], ThreadMessage]:
    """The results of calls by the message that asked for them and the call's id, which models use again and again."""
    asking = {row.pk: row.pk for row in rows if row.tool_calls}
    results = {}
    for row in rows:  # a parent comes before its children
        asked = asking.get(row.parent_id or 0)
        if row.role == Role.TOOL and asked:
            asking[row.pk] = asked
            results[asked, row.tool_call_id] = row
    return results


def _tool_row(
    call: dict[str, str],
    result: ThreadMessage | None,
    steps: dict[int | None, Any],
    siblings: dict[int, Siblings],
) -> ToolRow:
    if result is None:
        return ToolRow(call["name"], "working", call["arguments"], "")
    step = steps.get(result.pk)
    duration = (step.finished_at - step.started_at).total_seconds() if step and step.finished_at else None
    state = "done" if result.status == Status.COMPLETE else "interrupted" if result.error_code else "failed"
    return ToolRow(call["name"], state, call["arguments"], result.content, duration, siblings.get(result.pk), step)


@dataclass(frozen=True)
class Work:
    """What is going on in a thread, or about to: its active run or None, and the messages that wait, in order."""

    active_run: Any
    queue: list[ThreadMessage]


def work_of(thread: Thread) -> Work:
    """One query for a thread in which nothing waits, two otherwise."""
    runs = _unfinished_runs(thread.pk)
    for run in runs:
        run.thread = thread
    asked = [run.input_message_id for run in runs if run.status == "queued" and run.input_message_id]
    messages = ThreadMessage.objects.filter(status=Status.QUEUED).in_bulk(asked) if asked else {}
    return Work(runs[0] if runs else None, [messages[pk] for pk in asked if pk in messages])


@prepared
def _unfinished_runs(thread_id: Any) -> QuerySet[Any]:
    # By status: "waiting" and "running" come before "queued".
    rows: QuerySet[Any] = run_model().objects.filter(thread=thread_id, finished_at=None)
    return rows.order_by("-status", "position", "id")
