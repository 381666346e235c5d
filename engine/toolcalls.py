"""Calling the tools a model asked for: together where that is safe, results always in the order of the
calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.events import Effect, ToolCallFinished, ToolCallStarted
from engine.limits import Limits
from engine.tools import Tool, ToolContext, ToolResult
from engine.transcript import ToolCall


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """A call, and the key that its tool gets."""

    key: str
    call: ToolCall


async def call_tools(
    calls: Sequence[KeyedCall], tools: Mapping[str, Tool], limits: Limits, context: ToolContext
) -> AsyncGenerator[ToolCallStarted | ToolCallFinished, None]:
    """Each call's start, before it begins, and its result. Neighbours that may be repeated run at the same
    time; an unsafe call waits for those before it and those after it wait for it. Cancelling cancels what
    runs."""
    for batch in _batches(calls, tools):
        for keyed in batch:
            yield ToolCallStarted(keyed.call, _effect(keyed.call, tools), keyed.key)
        running = [asyncio.create_task(_timed_call(keyed, tools, limits, context)) for keyed in batch]
        try:
            for task in running:
                yield await task
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _effect(call: ToolCall, tools: Mapping[str, Tool]) -> Effect:
    """An unknown tool does nothing, so calling it only reads."""
    return tools[call.name].effect if call.name in tools else "read"


def _batches(calls: Sequence[KeyedCall], tools: Mapping[str, Tool]) -> list[list[KeyedCall]]:
    batches: list[list[KeyedCall]] = []
    open_batch = False
    for keyed in calls:
        unsafe = _effect(keyed.call, tools) == "unsafe"
        if unsafe or not open_batch:
            batches.append([])
        batches[-1].append(keyed)
        open_batch = not unsafe
    return batches


async def _timed_call(
    keyed: KeyedCall, tools: Mapping[str, Tool], limits: Limits, context: ToolContext
) -> ToolCallFinished:
    started = time.monotonic()
    result = await _call(keyed.call, tools, limits, replace(context, key=keyed.key))
    content = cut(result.content, limits.tool_output_chars)
    return ToolCallFinished(keyed.call, content, result.is_error, time.monotonic() - started, keyed.key)


async def _call(call: ToolCall, tools: Mapping[str, Tool], limits: Limits, context: ToolContext) -> ToolResult:
    tool = tools.get(call.name)
    if tool is None:
        names = ", ".join(tools) or "none"
        return ToolResult(f"There is no tool {call.name[:100]!r}. The tools there are: {names}.", is_error=True)
    try:
        async with asyncio.timeout(limits.tool_timeout):
            return await tool.call(call.arguments, context)
    except asyncio.CancelledError:
        running = asyncio.current_task()
        if running is None or running.cancelling():
            raise
        # The tool cancelled something of its own: that is its failure, not the end of the run.
        return ToolResult(f"{call.name} was cancelled from within.", is_error=True)
    except TimeoutError:
        return ToolResult(
            f"{call.name} did not finish within {limits.tool_timeout:g} seconds and was stopped. "
            "Whether it had an effect is not known.",
            is_error=True,
        )


def cut(content: str, limit: int) -> str:
    if len(content) <= limit:
        return content
    return f"{content[:limit]}\n[Cut here: {limit:,} of {len(content):,} characters shown.]"
