"""Nothing stays behind of those who come and go."""

from __future__ import annotations

import asyncio

import pytest
import redis

from tests.flows.hostile import files_of, memory_of
from tests.flows.people import Person, eventually
from tests.flows.stack import Stack

AT_ONCE = 20


def connections_to_the_bus(stack: Stack) -> int:
    with redis.Redis.from_url(stack.redis_url) as client:
        return len(client.client_list())


def connections_to_the_database(stack: Stack) -> int:
    if not stack.database.url.startswith("postgres"):
        return 0
    return len(stack.rows("SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"))


@pytest.mark.parametrize("times", [300, pytest.param(1000, marks=pytest.mark.long)])
async def test_after_many_sockets_everything_is_as_it_was(owner: Person, times: int) -> None:
    stack = owner.stack
    threads = [await owner.thread() for _ in range(AT_ONCE)]

    async def come_and_go(thread: dict[str, object], count: int) -> None:
        for number in range(count):
            async with owner.socket(thread) as socket:
                await socket.frame("thread_history")
                if number % 2:
                    socket.connection._response.connection.transport.abort()  # type: ignore[union-attr]

    # What web makes at the first use, its threads and their caches, is made by then.
    await asyncio.gather(*(come_and_go(thread, 15) for thread in threads))
    files, bus, database = files_of(stack), connections_to_the_bus(stack), connections_to_the_database(stack)
    before = memory_of(stack)
    await asyncio.gather(*(come_and_go(thread, times // AT_ONCE) for thread in threads))

    async def is_as_it_was() -> bool:
        return (
            files_of(stack) <= files + 5
            and connections_to_the_bus(stack) <= bus + 5
            and connections_to_the_database(stack) <= database + 2
        )

    await eventually(is_as_it_was, "files and connections are as before", 15)
    assert memory_of(stack) - before <= 10
