from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio
from pytest_django.fixtures import Settings

from common.bus import CHANNEL, ROWS_CHANGED, Publisher, Subscriber, _sync_client, ring
from tests.launch.tools import wait_for
from zerg_site.launch import broker, tree
from zerg_site.launch.home import Home
from zerg_site.launch.program import spawn


@pytest.fixture
def bus(tmp_path: Path, settings: Settings) -> Iterator[None]:
    """A real server of its own."""
    home = Home(tmp_path / "data")
    home.make()
    made = broker.make(home)
    assert made.program.before_start
    made.program.before_start(0)
    process = spawn(made.program)
    try:
        wait_for(made.answers, "the broker answers")
        settings.REDIS_URL = made.url
        _sync_client.cache_clear()
        yield
    finally:
        _sync_client.cache_clear()
        tree.kill_group(process.pid)
        process.wait()


async def test_all_that_is_sent_is_heard_in_order(bus: None) -> None:
    heard: list[tuple[int, bytes]] = []
    listens, everything = asyncio.Event(), asyncio.Event()

    def on_message(thread_id: int, payload: bytes) -> None:
        heard.append((thread_id, payload))
        if payload == b"last":
            everything.set()

    listener, publisher = Subscriber(on_message, listens.set), Publisher()
    try:
        async with asyncio.timeout(10):
            await listens.wait()
            for number in range(60):
                publisher.send(number % 7, b"%d" % number)
            await asyncio.to_thread(ring, 8, 9)
            publisher.send(7, b"last")
            await everything.wait()
        assert [item for item in heard if item[0] < 7] == [(number % 7, b"%d" % number) for number in range(60)]
        assert {item for item in heard if item[0] > 7} == {(8, ROWS_CHANGED), (9, ROWS_CHANGED)}
    finally:
        await listener.close()
        await publisher.close()


async def test_what_others_write_to_the_channel_is_ignored(bus: None, settings: Settings) -> None:
    heard = asyncio.Event()
    listens = asyncio.Event()
    listener, publisher = Subscriber(lambda *_: heard.set(), listens.set), Publisher()
    try:
        async with asyncio.timeout(10), redis.asyncio.Redis.from_url(settings.REDIS_URL) as other:
            await listens.wait()
            await other.publish(CHANNEL, b"hello")
            publisher.send(1, b"text")
            await heard.wait()
    finally:
        await listener.close()
        await publisher.close()
