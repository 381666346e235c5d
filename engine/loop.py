"""A run: call the model, call the tools it asks for, until there is nothing to call or a limit is reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from engine import memory
from engine.attempts import Answered, Pause, call_model
from engine.blocks import round_number, tail_calls
from engine.chat import ChatModel
from engine.errors import ModelError
from engine.events import (
    AttemptFailed,
    Event,
    ModelCallFinished,
    ModelCallStarted,
    Purpose,
    RunFinished,
    SummaryFailed,
    SummaryWritten,
    ToolCallFinished,
    ToolCallStarted,
)
from engine.limits import Limits
from engine.spec import RunSpec
from engine.tokens import messages_tokens
from engine.toolcalls import KeyedCall, call_tools
from engine.tools import Tool, ToolContext
from engine.transcript import Message

MAX_FOLDINGS = 4
"""Summary calls before one answer: a long history switched to summaries is folded over several answers."""


async def run(
    spec: RunSpec,
    history: Sequence[Message],
    *,
    model: ChatModel,
    tools: Sequence[Tool] = (),
    limits: Limits | None = None,
    context: ToolContext | None = None,
    pause: Pause = asyncio.sleep,
) -> AsyncGenerator[Event, None]:
    """The events of a run on `history`, which is not changed; the last is RunFinished.

    Tool calls left unanswered at the end of the history are answered first, so running again on a transcript
    resumes it. Raises ModelError when a model call finally fails: text already yielded is the caller's to
    keep. Cancel the task, or close the iterator (`contextlib.aclosing`), and connections and tools stop at
    once. `pause` waits before a call is made again.
    """
    this_run = _Run(spec, history, model, tools, limits or Limits(), context or ToolContext(), pause)
    async with aclosing(this_run.events()) as events:
        async for event in events:
            yield event


class _Run:
    def __init__(
        self,
        spec: RunSpec,
        history: Sequence[Message],
        model: ChatModel,
        tools: Sequence[Tool],
        limits: Limits,
        context: ToolContext,
        pause: Pause,
    ) -> None:
        self.spec = spec
        self.transcript = list(history)
        self.model = model
        self.tools = tuple(tools) if spec.supports_tools else ()
        self.by_name = {tool.name: tool for tool in tools}
        self.limits = limits
        self.context = context
        self.pause = pause
        self.may_summarise = True
        self.is_reported = False

    async def events(self) -> AsyncGenerator[Event, None]:
        tail = tail_calls(self.transcript)
        if tail is not None:
            async with aclosing(self._tool_round(*tail)) as round_:
                async for outcome in round_:
                    yield outcome
        for _ in range(max(self.spec.max_steps, 1)):
            if self.is_reported:
                break
            finished: ModelCallFinished | None = None
            async with aclosing(self._answer()) as answer:
                async for event in answer:
                    if isinstance(event, ModelCallFinished) and event.purpose == "answer":
                        finished = event
                    yield event
            assert finished is not None
            if not finished.message.tool_calls:
                yield RunFinished("completed" if finished.message.content.strip() else "empty_output")
                return
            self.transcript.append(finished.message)
            async with aclosing(self._tool_round(finished.message)) as round_:
                async for outcome in round_:
                    yield outcome
        yield RunFinished("reported" if self.is_reported else "max_steps")

    async def _tool_round(
        self, asking: Message, results: Sequence[Message] = ()
    ) -> AsyncGenerator[ToolCallStarted | ToolCallFinished, None]:
        """Makes the calls of `asking` that have no result yet. Their keys come from where they stand, not from the
        model's ids: some models number their calls anew in each message."""
        answered = {result.tool_call_id for result in results}
        stem = f"{self.context.key}.{round_number(self.transcript)}"
        numbered = enumerate(asking.tool_calls, 1)
        calls = [KeyedCall(f"{stem}.{number}", call) for number, call in numbered if call.id not in answered]
        async with aclosing(call_tools(calls, self.by_name, self.limits, self.context)) as events:
            async for event in events:
                if isinstance(event, ToolCallFinished):
                    call = event.call
                    self.transcript.append(Message("tool", event.content, tool_call_id=call.id, name=call.name))
                    self.is_reported |= not event.is_error and self._ends_run(call.name)
                yield event

    def _ends_run(self, name: str) -> bool:
        return name in self.by_name and self.by_name[name].ends_run

    async def _answer(self) -> AsyncGenerator[Event, None]:
        async with aclosing(self._summaries()) as summaries:
            async for event in summaries:
                yield event
        messages = memory.fit(self.spec, self.transcript, self.tools, provider=self.model.provider_name)
        async with aclosing(self._call("answer", self.spec, messages)) as call:
            async for event in call:
                yield event

    async def _summaries(self) -> AsyncGenerator[Event, None]:
        """Folds the oldest part of the history until what is left is small enough; a failure ends that for
        this run."""
        for _ in range(MAX_FOLDINGS):
            folding = memory.needs_summary(self.spec, self.transcript, self.tools) if self.may_summarise else None
            if folding is None:
                return
            spec, messages = memory.summary_request(self.spec, folding)
            text = ""
            try:
                async with aclosing(self._call("summary", spec, messages)) as call:
                    async for event in call:
                        if isinstance(event, ModelCallFinished):
                            text = memory.bounded_summary(spec, event.message.content)
                        # Its text is not part of any answer: it is seen whole, as SummaryWritten.
                        if isinstance(event, ModelCallStarted | AttemptFailed | ModelCallFinished):
                            yield event
                if not text:
                    raise self.model.failures.make(
                        "provider_error", template="{model} at {who} wrote an empty summary."
                    )
            except ModelError as error:
                self.may_summarise = False
                yield SummaryFailed(error)
                return
            self.transcript.append(Message("system", text, is_summary=True, covers=folding.covers))
            yield SummaryWritten(text, folding.covers)

    async def _call(self, purpose: Purpose, spec: RunSpec, messages: Sequence[Message]) -> AsyncGenerator[Event, None]:
        tools = self.tools if purpose == "answer" else ()
        estimate = messages_tokens(messages) + memory.tools_tokens(spec, tools)
        yield ModelCallStarted(purpose, len(messages), estimate)
        async with aclosing(call_model(self.model, messages, tools, spec, self.limits, self.pause)) as items:
            async for item in items:
                if not isinstance(item, Answered):
                    yield item
                    continue
                reply = item.reply
                yield ModelCallFinished(
                    purpose, reply.message, reply.reasoning, reply.usage, reply.finish_reason, item.attempt
                )
