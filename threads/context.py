"""What the model of a thread is told: the bounds of a request, and how full the next one will be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from agents.catalog import ModelChoice, choose
from agents.models import Agent, MemoryStrategy
from agents.toolbox import tools_of
from common.errors import ZergError
from common.prepared import prepared
from engine import Measure, RunSpec, measure, text_tokens
from threads.models import Thread, ThreadMessage, run_model
from threads.transcript import history, up_to, walk_back

READ = ("seq", "parent", "role", "kind", "status", "content", "tool_calls", "tool_call_id", "name", "covers_seq")
COUNTED = ("seq", "parent", "role", "input_tokens", "output_tokens", "usage_estimated")
NEAR = 32
"""Rows: among them is an answer that was counted, unless its calls had more results than that."""
Role, Kind, Status = ThreadMessage.Role, ThreadMessage.Kind, ThreadMessage.Status


def spec_of(agent: Agent, thread: Thread, choice: ModelChoice) -> RunSpec:
    """The agent in this thread, with this model, as the engine needs to know it."""
    return RunSpec(
        model=choice.name,
        system=agent.system_instructions,
        temperature=agent.temperature,
        max_output_tokens=agent.max_output_tokens or (choice.row.max_output_tokens if choice.row else None),
        max_steps=agent.max_steps,
        memory=thread.strategy,  # type: ignore[arg-type]  # the model's choices are the engine's names
        window=agent.memory_window,
        context_window=choice.context_window,
        supports_tools=choice.supports_tools,
    )


@dataclass(frozen=True)
class Fill:
    """How many tokens of its window the last answer's model has read and written: what the next request begins with."""

    used: int
    window: int
    estimated: bool

    @property
    def percent(self) -> int:
        return min(-(-100 * self.used // self.window), 100)


def fill_of(thread: Thread, leaf_id: int | None) -> Fill | None:
    """As it was counted for the last answer of the branch that ends in ``leaf_id``; None where none is near.

    What the model wrote is read again by the next request only where the thread remembers it all. A schedule's run that
    was told something else than the thread says nothing of it.
    """
    wanted = leaf_id
    for row in _newest_counted(thread.pk, leaf_id or 0):
        if row.pk != wanted:
            continue
        wanted = row.parent_id
        if row.role == Role.ASSISTANT and row.input_tokens and (window := row.window):  # type: ignore[attr-defined]
            remembers = thread.strategy in (MemoryStrategy.BUFFER, MemoryStrategy.SUMMARY)
            used = row.input_tokens + (row.output_tokens or 0 if remembers else 0)
            return Fill(used, window, row.usage_estimated)
    return None


@prepared
def _newest_counted(thread_id: Any, leaf_id: Any) -> QuerySet[ThreadMessage]:
    runs: Any = run_model()
    of_thread = runs.objects.filter(pk=OuterRef("run_id"), terms_stored__context__isnull=True)
    window = Subquery(of_thread.values("context_window")[:1])
    return up_to(ThreadMessage.objects.only(*COUNTED).annotate(window=window), thread_id, pk=leaf_id)[:NEAR]


@dataclass(frozen=True)
class Context:
    """What the next request will be made of, as far as it is estimated before a call; tokens.

    ``since`` is the first message that will be read, where others before it will not.
    """

    model: str
    memory: str
    size: Measure
    since: ThreadMessage | None

    @property
    def free(self) -> int:
        return max(self.size.window - self.size.answer - self.size.used, 0)

    @property
    def next_words(self) -> str:
        """What becomes of the oldest messages."""
        if self.memory == MemoryStrategy.NONE:
            return "This thread remembers nothing: each message is read alone."
        if self.memory == MemoryStrategy.WINDOW:
            return "This thread remembers its last few messages only."
        if self.size.folds:
            return "With your next message the oldest are folded into a summary."
        if self.memory == MemoryStrategy.SUMMARY:
            return "When it is three quarters full, the oldest messages are folded into a summary."
        return "When it is full, the oldest messages are left out first."


def context_of(thread: Thread, leaf_id: int | None) -> Context | None:
    """The context of what is said next on the branch that ends in ``leaf_id``; None where no model is at hand."""
    agent = thread.agent
    try:
        choice = choose(agent)
    except ZergError:
        return None
    spec = spec_of(agent, thread, choice)
    messages, spoken = history(_within_reach(thread, leaf_id, spec))
    size = measure(spec, messages, tools_of(agent))
    is_cut = size.kept and not size.summary and (size.left_out or (spoken and spoken[0].parent_id is not None))
    since = spoken[-size.kept] if is_cut else None
    return Context(choice.name, spec.memory, size, since)


def _within_reach(thread: Thread, leaf_id: int | None, spec: RunSpec) -> list[ThreadMessage]:
    """The end of a branch, as far as a request can hold it; without what is being written, which grows unheard."""
    rows: list[ThreadMessage] = []
    if thread.strategy == MemoryStrategy.NONE:
        return rows
    room, covered = spec.context_window, 0
    for row in walk_back(thread.pk, leaf_id, messages=ThreadMessage.objects.only(*READ)):
        if row.status == Status.STREAMING:
            continue
        if room < 0 or (row.seq or 0) <= covered:
            break
        rows.append(row)
        if row.kind == Kind.SUMMARY:
            covered = covered or (row.covers_seq or 0 if thread.strategy == MemoryStrategy.SUMMARY else 0)
        else:
            room -= text_tokens(row.content)
    return rows[::-1]
