"""A run that is cancelled lets go of everything at once."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from engine import ChatModel, Message, TextDelta, ToolCallStarted, run, tool
from tests.engine.conftest import FAST, collect, spec
from tests.fakellm import FakeLLM


async def until_disconnected(fake: FakeLLM) -> float:
    """Seconds until the server noticed that its client left."""
    started = time.monotonic()
    async with asyncio.timeout(2.0):
        while not fake.records[0].disconnected:
            await asyncio.sleep(0.005)
    return time.monotonic() - started


@pytest.mark.parametrize("script", ["long n=1000 rate=50", "hang after=2", "hang after=0", "hangfirst"])
async def test_cancelling_the_task_closes_the_connection_within_a_second(
    model: ChatModel, fake: FakeLLM, script: str
) -> None:
    task = asyncio.create_task(collect(model, f"[[script: {script}]]"))
    async with asyncio.timeout(5.0):
        while not fake.records:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.1)  # into the stream, where the script has one
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await until_disconnected(fake) < 1.0


async def test_closing_the_iterator_closes_the_connection(model: ChatModel, fake: FakeLLM) -> None:
    messages = [Message("user", "[[script: long n=1000 rate=50]]")]
    async with aclosing(run(spec(), messages, model=model, limits=FAST)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break

    assert await until_disconnected(fake) < 1.0


async def test_cancelling_during_the_wait_before_a_retry_ends_it(model: ChatModel, fake: FakeLLM) -> None:
    task = asyncio.create_task(collect(model, "[[script: status code=429 retry=30]]"))
    async with asyncio.timeout(5.0):
        while not fake.records:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(1.0):
            await task
    assert len(fake.records) == 1


async def test_cancelling_reaches_every_tool_that_runs(model: ChatModel) -> None:
    began, stopped = [], []

    @tool(effect="read")
    async def wait(seconds: int) -> str:
        """Waits."""
        began.append(seconds)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            stopped.append(seconds)
            raise
        return "done"

    script = '[[script: tools2 name1=wait args1={"seconds": 30} name2=wait args2={"seconds": 31}]]'
    task = asyncio.create_task(collect(model, script, tools=[wait]))
    async with asyncio.timeout(5.0):
        while len(began) < 2:
            await asyncio.sleep(0.005)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(1.0):
            await task
    assert sorted(stopped) == [30, 31]


async def test_closing_the_iterator_between_start_and_call_calls_nothing(model: ChatModel) -> None:
    called = []

    @tool(effect="unsafe")
    async def send() -> str:
        """Sends."""
        called.append(1)
        return "sent"

    messages = [Message("user", "[[script: tool name=send]]")]
    async with aclosing(run(spec(), messages, model=model, tools=[send], limits=FAST)) as events:
        async for event in events:
            if isinstance(event, ToolCallStarted):
                break

    assert called == []
