"""Connections that are cut hundreds of times: each client ends with the text of the row, to the byte."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest

from tests.faults.clients import Client, EventClient, Poller, SocketClient
from tests.faults.cluster import Cluster
from tests.faults.proxy import CuttingProxy
from tests.flows.people import Fake, Object, Person, unique
from tests.flows.sockets import Socket


@dataclass(frozen=True)
class Size:
    streams: int
    cuts: int
    seconds: int

    def script(self, number: int) -> str:
        if number % 2:
            return f"[[script: long n={self.seconds * 40} rate=40 stamp=1]]"
        return f"[[script: unicode n={self.seconds} rate=26]]"  # the sample has 26 words


@dataclass
class Stream:
    """One answer, who reads it over cut connections, and who over one that is never cut: one at each door."""

    thread: Object
    text: str
    run_id: int
    cut: Client
    uncut: list[Socket]


SIZES = [
    pytest.param(Size(streams=6, cuts=60, seconds=7), id="60 cuts"),
    pytest.param(Size(streams=20, cuts=500, seconds=20), id="500 cuts", marks=pytest.mark.long),
]


@pytest.mark.parametrize("size", SIZES)
async def test_every_client_ends_with_the_text_of_the_row(
    cluster: Cluster, owner: Person, fake: Fake, chance: random.Random, size: Size
) -> None:
    async with AsyncExitStack() as stack:
        streaming = await stack.enter_async_context(CuttingProxy(cluster.doors, chance, (0.05, 0.5)))
        polling = await stack.enter_async_context(CuttingProxy(cluster.doors, chance, (0.0, 0.06)))
        streams = [await begin(n, size, stack, owner, streaming, polling, chance) for n in range(size.streams)]
        follow = [asyncio.create_task(stream.cut.follow()) for stream in streams]
        await asyncio.sleep(size.seconds / 3)
        cluster.parts["broker"].kill()  # clients read rows until it is back
        await asyncio.sleep(size.seconds / 5)
        cluster.restart("broker")
        await asyncio.gather(*follow)
        for stream in streams:
            await asyncio.gather(*(socket.run_ended(stream.run_id) for socket in stream.uncut))
        print(f"{size.streams} streams: {streaming.cuts} cuts of sockets and events, {polling.cuts} of polls")

        for stream in streams:
            await check(stream, owner, fake)
        assert streaming.cuts >= size.cuts


async def begin(
    number: int,
    size: Size,
    stack: AsyncExitStack,
    owner: Person,
    streaming: CuttingProxy,
    polling: CuttingProxy,
    chance: random.Random,
) -> Stream:
    thread, text, key = await owner.thread(), unique(size.script(number)), uuid4().hex
    doors = [Person(owner.stack, owner.token, owner.http, door) for door in owner.stack.doors]  # type: ignore[attr-defined]
    uncut = [await stack.enter_async_context(person.socket(thread)) for person in doors]
    run_id = (await owner.say(thread, text, client_message_id=key))["run_id"]
    far = Person(owner.stack, owner.token, owner.http, streaming.address)
    client: Client
    match number % 3:
        case 0:
            client = SocketClient(far, thread, run_id)
        case 1:
            client = EventClient(far, thread, run_id, {"content": text, "client_message_id": key})
        case _:
            far.door = polling.address
            client = Poller(far, thread, run_id, chance)
    return Stream(thread, text, run_id, client, uncut)


async def check(stream: Stream, owner: Person, fake: Fake) -> None:
    (row,) = await owner.answers(stream.run_id, stream.thread)
    sent = await fake.sent(await fake.asked_once(stream.text))
    whole = row["content"].encode()
    assert (row["status"], whole) == ("complete", sent.encode())
    assert stream.cut.text.encode() == whole
    for socket in stream.uncut:
        assert socket.reader.texts[row["id"]].encode() == whole
