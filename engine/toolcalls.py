"""Calling the tools a model asked for: together where that is safe, results always in the order of the
calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence

from engine.events import Effect, ToolCallFinished, ToolCallStarted
from engine.limits import Limits
from engine.tools import Tool, ToolContext, ToolResult
from engine.transcript import ToolCall


async def call_tools(
    calls: Sequence[ToolCall], tools: Mapping[str, Tool], limits: Limits, context: ToolContext
) -> AsyncGenerator[ToolCallStarted | ToolCallFinished, None]:
    """Each call's start, before it begins, and its result. Neighbours that may be repeated run at the same
    time; an unsafe call waits for those before it and those after it wait for it. Cancelling cancels what
    runs."""
    for batch in _batches(calls, tools):
        for call in batch:
            yield ToolCallStarted(call, _effect(call, tools))
        running = [asyncio.create_task(_timed_call(call, tools, limits, context)) for call in batch]
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


def _batches(calls: Sequence[ToolCall], tools: Mapping[str, Tool]) -> list[list[ToolCall]]:
    batches: list[list[ToolCall]] = []
    open_batch = False
    for call in calls:
        unsafe = _effect(call, tools) == "unsafe"
        if unsafe or not open_batch:
            batches.append([])
        batches[-1].append(call)
        open_batch = not unsafe
    return batches


async def _timed_call(
    call: ToolCall, tools: Mapping[str, Tool], limits: Limits, context: ToolContext
) -> ToolCallFinished:
    started = time.monotonic()
    result = await _call(call, tools, limits, context)
    content = cut(result.content, limits.tool_output_chars)
    return ToolCallFinished(call, content, result.is_error, time.monotonic() - started)


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
