"""The only writer of what a run produces: rows through ``records``, live frames through the bus."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import singledispatchmethod
from typing import Any, Protocol, TypeVar

from django.db import Error as DatabaseProblem

from agents.catalog import ModelChoice
from common.bus import ROWS_CHANGED, thread_topic
from engine import (
    AttemptFailed,
    Event,
    ModelCallFinished,
    ModelCallStarted,
    ReasoningDelta,
    RunFinished,
    SummaryFailed,
    SummaryWritten,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
    Usage,
)
from runs import records
from runs.live_text import LiveText
from runs.models import Run, RunStatus, Step
from runs.records import Answer, Ending
from runs.states import LeaseLost
from threads.models import ThreadMessage

log = logging.getLogger(__name__)
T = TypeVar("T")
CHARS_PER_TOKEN = 4


class Sender(Protocol):
    """What the recorder needs of the bus."""

    def send(self, topic: str, payload: bytes) -> None: ...


Database = Callable[..., Awaitable[Any]]
"""``await database(function, *args)`` runs a sync function with the ORM in the recorder's own pool of threads."""


class Recorder:
    """Takes the events of one run. ``spoken`` are the rows behind the history: a summary says which it covers.

    ``on_lease_lost`` is called when a checkpoint finds that another worker holds the run.
    """

    def __init__(
        self,
        run: Run,
        *,
        choice: ModelChoice,
        spoken: list[ThreadMessage],
        database: Database,
        sender: Sender,
        on_lease_lost: Callable[[], None],
    ) -> None:
        self.run = run
        self._choice = choice
        self._spoken_seqs = [row.seq or 0 for row in spoken]
        self._database = database
        self._sender = sender
        self._topic = thread_topic(run.thread_id)
        self._step: Step | None = None
        self._tool_steps: dict[str, Step] = {}
        self._input_estimate = 0
        self._on_lease_lost = on_lease_lost
        self._live: LiveText | None = None
        self._writing = asyncio.Lock()
        self.ending: Ending | None = None

    @singledispatchmethod
    async def handle(self, event: Event) -> None:
        """Makes one event durable and visible. Raises LeaseLost when this worker no longer holds the run."""
        raise TypeError(f"unknown event {event!r}")

    @handle.register
    async def _(self, event: ModelCallStarted) -> None:
        self._input_estimate = event.input_tokens_estimate
        if event.purpose == "summary":
            self._step = await self._write(records.begin_summary, self._choice.name, event.messages)
            return
        self._step, message = await self._write(records.begin_answer, self._choice.name, event.messages)
        self._live = LiveText(message, on_frame=self._send_frame, on_checkpoint=self._checkpoint)

    @handle.register
    async def _(self, event: TextDelta) -> None:
        assert self._live is not None, "text comes after the start of its call"
        self._live.add(event.text)

    @handle.register
    async def _(self, event: ReasoningDelta) -> None:
        assert self._live is not None, "reasoning comes after the start of its call"
        self._live.reasoning += event.text

    @handle.register
    async def _(self, event: AttemptFailed) -> None:
        wait = f"Trying again in {event.retry_in:.0f} s." if event.retry_in >= 1 else "Trying again."
        await self._write(records.note, self._step, f"{event.error.message} {wait}")

    @handle.register
    async def _(self, event: ModelCallFinished) -> None:
        if event.purpose == "summary":
            await self._write(records.settle_summary, self._step, event.usage, self._choice, None)
            return
        message = event.message
        answer = Answer(message.content, event.reasoning, message.tool_calls, event.usage)
        seq = await self._settle(answer, None)
        self._spoken_seqs.append(seq)

    @handle.register
    async def _(self, event: SummaryWritten) -> None:
        covers_seq = self._spoken_seqs[event.covers - 1] if event.covers else 0
        await self._write(records.add_summary, event.text, covers_seq)

    @handle.register
    async def _(self, event: SummaryFailed) -> None:
        error = Ending(RunStatus.FAILED, Run.Reason.PROVIDER_ERROR, event.error.code, event.error.message)
        await self._write(records.settle_summary, self._step, self._usage_so_far(""), self._choice, error)

    @handle.register
    async def _(self, event: ToolCallStarted) -> None:
        self._tool_steps[event.call.id] = await self._write(records.begin_tool, event.call, event.effect)

    @handle.register
    async def _(self, event: ToolCallFinished) -> None:
        step = self._tool_steps.pop(event.call.id)
        content = storable(event.content)
        row = await self._write(records.settle_tool, step, event.call, content, event.is_error)
        self._spoken_seqs.append(row.seq or 0)

    @handle.register
    async def _(self, event: RunFinished) -> None:
        await self._write(records.end, ENDING_OF[event.reason])

    async def stop_with(self, ending: Ending) -> None:
        """Ends the run before its time: stopped, failed, timed out. What was written stays. Raises LeaseLost."""
        if self._live is not None:
            live = self._live
            answer = Answer(live.text, live.reasoning, (), self._usage_so_far(live.text + live.reasoning))
            await self._settle(answer, ending)
        else:
            await self._write(records.end, ending)

    async def leave(self) -> None:
        """Makes durable what was written since the last checkpoint, and writes nothing more: another worker goes on."""
        if self._live is not None:
            live = self._live
            live.close()
            await self._checkpoint(live)
            self._live = None

    def _usage_so_far(self, text: str) -> Usage:
        """An estimate for a call that was cut off. One that wrote nothing costs nothing."""
        if not text:
            return Usage(0, 0, 0, estimated=True)
        return Usage(self._input_estimate, 0, len(text) // CHARS_PER_TOKEN, estimated=True)

    async def _settle(self, answer: Answer, ending: Ending | None) -> int:
        live, self._live = self._live, None
        assert live is not None, "an answer ends after it began"
        live.close()
        await self._write(records.settle_answer, self._step, live.message.pk, answer, self._choice, ending)
        return live.message.seq or 0

    async def _write(self, function: Callable[..., T], *args: Any) -> T:
        """One transaction at a time, then the doorbell: a checkpoint ends before its message is settled."""
        async with self._writing:
            result: T = await self._database(function, self.run, *args)
        self._sender.send(self._topic, ROWS_CHANGED)
        return result

    async def _checkpoint(self, live: LiveText) -> None:
        """Makes the text so far durable; from then on frames carry what comes after it."""
        async with self._writing:
            if self._live is not live:
                return
            text = live.text
            args = (live.message.pk, text, live.reasoning, live.first_token_at)
            try:
                await self._database(records.checkpoint, self.run, *args)
            except LeaseLost:
                self._on_lease_lost()
                return
            except DatabaseProblem:
                log.warning("Run %s: a checkpoint failed; the next one tries again", self.run.pk, exc_info=True)
                return
        live.durable = len(text)
        self._sender.send(self._topic, ROWS_CHANGED)

    def _send_frame(self, live: LiveText) -> None:
        frame = {"m": live.message.pk, "r": self.run.pk, "o": live.durable, "x": live.text[live.durable :]}
        self._sender.send(self._topic, json.dumps(frame, ensure_ascii=False).encode())


def storable(text: str) -> str:
    """A tool's text without the one character that PostgreSQL cannot keep. (The engine does it for a model's.)"""
    return text.replace("\x00", "\ufffd")


ENDING_OF = {
    "completed": Ending(RunStatus.SUCCEEDED, Run.Reason.COMPLETED),
    "max_steps": Ending(
        RunStatus.FAILED,
        Run.Reason.MAX_STEPS,
        "max_steps",
        "The agent reached its limit of steps before it had an answer. Raise the limit in its form, or ask for less.",
    ),
    "empty_output": Ending(
        RunStatus.FAILED,
        Run.Reason.EMPTY_OUTPUT,
        "empty_output",
        "The model returned nothing. Retry, or choose another model.",
    ),
}
