"""Each limit is kept, and named in the sentence."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from engine import ChatModel, Limits, make_client
from tests.engine.conftest import KEY, Ask, collect
from tests.fakellm import FakeLLM


async def test_a_server_that_accepts_no_connection_is_given_up_after_connect() -> None:
    # A full backlog: the kernel answers no further connection.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        client = make_client(f"http://127.0.0.1:{port}/v1", KEY)
        model = ChatModel(client, name="fake-1", provider_name="Fakeworks")
        started = time.monotonic()
        outcome = await collect(model, "Hi", limits=Limits(connect=0.3, attempts=1))
        await client.close()
        for filler in fillers:
            filler.close()

    assert outcome.failure.code == "timeout_connect"
    assert time.monotonic() - started < 2.0
    assert "0.3 seconds (limit: connect)" in outcome.failure.message


@pytest.mark.parametrize("script", ["hangfirst", "hang after=0 first=9"])
async def test_silence_before_the_first_byte_is_given_up(ask: Ask, fake: FakeLLM, script: str) -> None:
    outcome = await ask(f"[[script: {script}]]", limits=Limits(first_byte=0.3, attempts=1))

    assert outcome.failure.code == "timeout_first_byte"
    assert outcome.failure.retryable
    assert "Fakeworks sent nothing of the answer of fake-1 within 0.3 seconds" in outcome.failure.message
    assert "first byte" in outcome.failure.message


async def test_silence_in_the_middle_is_given_up_and_the_text_kept(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: hang after=3]]", limits=Limits(between_chunks=0.3, attempts=3))

    assert outcome.failure.code == "timeout_between_chunks"
    assert "between chunks" in outcome.failure.message
    assert outcome.text == "w0 w1 w2 "
    assert len(fake.records) == 1


async def test_a_call_that_goes_on_for_ever_is_given_up(ask: Ask) -> None:
    started = time.monotonic()
    outcome = await ask("[[script: long n=100000 rate=50]]", limits=Limits(total=0.6))

    assert outcome.failure.code == "timeout_total"
    assert not outcome.failure.retryable
    assert "whole call" in outcome.failure.message
    assert outcome.text.startswith("w0 w1 w2 ")
    assert 0.5 < time.monotonic() - started < 2.0


async def test_the_connection_is_closed_after_a_timeout(ask: Ask, fake: FakeLLM) -> None:
    await ask("[[script: hang after=3]]", limits=Limits(between_chunks=0.2, attempts=1))

    async with asyncio.timeout(1.0):
        while not fake.records[0].disconnected:
            await asyncio.sleep(0.01)
