"""The only writer of what a run produces: rows through ``records``, live frames through the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import singledispatchmethod
from typing import Any, TypeVar

from agents.catalog import ModelChoice
from common.bus import ROWS_CHANGED
from common.database import DatabaseThreads
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
from runs import judging, records
from runs.endings import Ending
from runs.live_text import LiveText, LiveTexts, Sender
from runs.models import Run, RunStatus, Step
from runs.records import Answer
from runs.terms import NOTHING_ASKED, Context
from threads.models import ThreadMessage

T = TypeVar("T")
CHARS_PER_TOKEN = 4
NOTHING = Usage(0, 0, 0, estimated=True)


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
        database: DatabaseThreads,
        sender: Sender,
        texts: LiveTexts,
        on_lease_lost: Callable[[], None],
    ) -> None:
        self.run = run
        self._choice = choice
        self._spoken_seqs = [row.seq or 0 for row in spoken]
        self._database = database
        self._sender = sender
        self._step: Step | None = None
        self._tool_steps: dict[str, Step] = {}
        self._input_estimate = 0
        self._on_lease_lost = on_lease_lost
        self._live: LiveText | None = None
        self._texts = texts
        self._last_answer: Answer | None = None
        self._is_cut = False
        self._waited = False
        self._folded = NOTHING

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
        self._live = LiveText(self.run, message, self._on_lease_lost)
        self._texts.begin(self._live)
        await asyncio.sleep(0)  # so that pages hear of it before the request is made, which takes milliseconds

    @handle.register
    async def _(self, event: TextDelta) -> None:
        assert self._live is not None, "text comes after the start of its call"
        self._texts.add(self._live, event.text)
        if self._waited:
            self._waited = False
            await self._write(records.waits_no_more)
        await self._texts.next_frames()

    @handle.register
    async def _(self, event: ReasoningDelta) -> None:
        assert self._live is not None, "reasoning comes after the start of its call"
        self._live.reasoning += event.text

    @handle.register
    async def _(self, event: AttemptFailed) -> None:
        wait = f"Trying again in {event.retry_in:.0f} s." if event.retry_in >= 1 else "Trying again."
        await self._write(records.note, self._step, f"{event.error.message} {wait}", event.retry_in)
        self._waited = True

    @handle.register
    async def _(self, event: ModelCallFinished) -> None:
        if event.purpose == "summary":
            self._folded = event.usage
            return
        message = event.message
        answer = Answer(message.content, event.reasoning, message.tool_calls, event.usage)
        if not message.tool_calls:
            # The run ends with it, in one transaction: a worker that dies in between would answer once more.
            self._last_answer, self._is_cut = answer, event.finish_reason == "length"
            return
        seq = await self._settle(answer, None)
        self._spoken_seqs.append(seq)

    @handle.register
    async def _(self, event: SummaryWritten) -> None:
        covers_seq = None  # one that stands for runs of a series, whichever thread they were in
        if self.run.terms.context == Context.WHOLE_THREAD:
            covers_seq = self._spoken_seqs[event.covers - 1] if event.covers else 0
        usage, self._folded = self._folded, NOTHING
        await self._write(records.settle_summary, self._step, usage, self._choice, event.text, covers_seq)

    @handle.register
    async def _(self, event: SummaryFailed) -> None:
        error = Ending(RunStatus.FAILED, Run.Reason.PROVIDER_ERROR, event.error.code, event.error.message)
        usage, self._folded = self._folded, NOTHING
        await self._write(records.fail_summary, self._step, usage, self._choice, error)

    @handle.register
    async def _(self, event: ToolCallStarted) -> None:
        step = await self._write(records.begin_tool, event.call, event.effect, event.key)
        self._tool_steps[event.key] = step

    @handle.register
    async def _(self, event: ToolCallFinished) -> None:
        step = self._tool_steps.pop(event.key)
        content = storable(event.content)
        row = await self._write(records.settle_tool, step, event.call, content, event.is_error)
        self._spoken_seqs.append(row.seq or 0)

    @handle.register
    async def _(self, event: RunFinished) -> None:
        ending, answer = ENDING_OF[event.reason], self._last_answer
        if self.run.is_unattended or self.run.terms != NOTHING_ASKED:
            text = answer.content if answer else ""
            ending = await judging.judged(self._database, self.run, ending, text, is_cut=self._is_cut)
        if answer is None:
            await self._write(records.end, ending)
        else:
            await self._settle(replace(answer, content=answer.content or ending.nothing_new), None, ending)

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
            live, self._live = self._live, None
            self._texts.end(live)
            await self._texts.save([live])

    def close(self) -> None:
        """The run's task is over, whatever became of the run."""
        if self._live is not None:
            self._texts.end(self._live)

    def _usage_so_far(self, text: str) -> Usage:
        """An estimate for a call that was cut off. One that wrote nothing costs nothing."""
        if not text:
            return NOTHING
        return Usage(self._input_estimate, 0, len(text) // CHARS_PER_TOKEN, estimated=True)

    async def _settle(self, answer: Answer, failure: Ending | None, ending: Ending | None = None) -> int:
        live, self._live = self._live, None
        assert live is not None, "an answer ends after it began"
        self._texts.end(live)
        await self._write(records.settle_answer, self._step, live.message.pk, answer, self._choice, failure, ending)
        return live.message.seq or 0

    async def _write(self, function: Callable[..., T], *args: Any) -> T:
        """One transaction, then the doorbell."""
        result = await self._database(function, self.run, *args)
        self._sender.send(self.run.thread_id, ROWS_CHANGED)
        return result


def storable(text: str) -> str:
    """A tool's text without the one character that PostgreSQL cannot keep. (The engine does it for a model's.)"""
    return text.replace("\x00", "\ufffd")


ENDING_OF = {
    "completed": Ending(RunStatus.SUCCEEDED, Run.Reason.COMPLETED),
    "reported": Ending(RunStatus.SUCCEEDED, Run.Reason.COMPLETED),
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
