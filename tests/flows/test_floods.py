"""Clients that send too much, too often, nonsense, or nothing at all: they are sent away, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import statistics
import struct
import sys
import time

import pytest

from tests.flows.hostile import (
    BINARY,
    PING,
    TEXT,
    RawSocket,
    Wire,
    files_of,
    frame,
    handshake,
    pieces,
    unnoticed,
)
from tests.flows.marks import on_sqlite_only
from tests.flows.people import Fake, Person, eventually
from tests.flows.visitor import Visitor
from zerg_site.doorman import MOST_UNFINISHED, NOBODIES_AT_ONCE, STRANGERS_AT_ONCE, STRANGERS_PER_SECOND

pytestmark = on_sqlite_only

SECONDS = 2.0
SMALL = frame(TEXT, b'{"type":"ping"}')
BIG = b"x" * 2 * 1024 * 1024
FLOODS = {
    "10,000 small frames": (SMALL * 10_000, 4429),
    "10,000 pings": (frame(PING, b"?") * 10_000, 4429),
    "a message in 10,000 empty frames": (frame(TEXT, b"", is_last=False) + frame(0, b"", is_last=False) * 10_000, 4429),
    "a frame of 2 MiB": (frame(TEXT, BIG), 1009),
    "a frame of 2 MiB in bytes": (frame(BINARY, BIG), 1009),
    "2 MiB in frames of 32 KiB": (
        b"".join(frame(0 if n else TEXT, part, is_last=False) for n, part in enumerate(pieces(BIG, 32 * 1024))),
        1009,
    ),
    "half a frame of 1 TiB": (struct.pack("!BBQ", 0x81, 0xFF, 1 << 40) + bytes(4) + BIG, 1009),
    "text that is no UTF-8": (frame(TEXT, b'{"type": "\xc3\x28"}'), 1007),
    "text that ends within a character": (frame(TEXT, b"\xe2\x82"), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\xbd"), 1007),
    "a frame of an unknown kind": (frame(3, b"x"), 1002),
    "a frame without its mask": (b"\x81\x02{}", 1002),
}


async def test_whoever_floods_a_socket_is_told_why_and_sent_away(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    async with unnoticed(owner, fake):
        for what, (flood, code) in FLOODS.items():
            sockets = [await RawSocket.open(owner, thread) for _ in range(4)]
            for socket in sockets:
                sending = asyncio.create_task(socket.wire.send(flood))
                assert await socket.closed() == code, what
                sending.cancel()
                await asyncio.wait([sending])
                assert sending.cancelled() or isinstance(sending.exception(), ConnectionError | None)
                socket.wire.close()
    async with owner.socket(thread) as good:
        await good.frame("thread_history")
    assert await owner.messages(thread) == []


async def test_connections_without_a_request_make_place_for_others_and_end(owner: Person, fake: Fake) -> None:
    before = files_of(owner.stack)
    async with unnoticed(owner, fake):
        silent = [await Wire.open(owner.stack) for _ in range(MOST_UNFINISHED + 100)]
        half = handshake("/api/threads/1/ws", owner.headers)[:-2]
        slowly = [await Wire.open(owner.stack) for _ in range(20)]
        for wire in slowly:
            await wire.send(half)

        async def is_bounded() -> bool:
            return files_of(owner.stack) <= before + MOST_UNFINISHED + 25

        await eventually(is_bounded, "no more connections without a request than there may be", 2)
        closed = await asyncio.gather(*(wire.is_closed(2) for wire in silent[:100]))
        assert all(closed)
        assert (await owner.get("/api/threads?limit=1")) is not None
    for wire in [*silent, *slowly]:
        wire.close()


FLOOD = """
import json, socket, sys, time
port, per_second, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
request = sys.stdin.buffer.read()
answers, waiting, begun = {}, [], time.monotonic()
sent = 0
def finish(connection):
    try:
        said = connection.recv(200)
    except OSError:
        said = b"-"
    status = said[9:12].decode()
    answers[status] = answers.get(status, 0) + 1
    connection.close()
while (now := time.monotonic() - begun) < seconds:
    while sent < now * per_second:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(request)
        connection.settimeout(5)
        waiting.append(connection)
        sent += 1
    while len(waiting) > 100:
        finish(waiting.pop(0))
    time.sleep(0.005)
for connection in waiting:
    finish(connection)
print(sent, json.dumps(answers))
"""


@pytest.mark.parametrize("shown", ["nothing", "a wrong token", "a wrong session"])
async def test_500_handshakes_of_strangers_a_second_are_refused_at_the_door(
    owner: Person, fake: Fake, visitor: Visitor, shown: str
) -> None:
    """Those who were let in before, or show a good credential now and then, come in all the while."""
    thread = await owner.thread()
    async with owner.socket(thread) as socket:
        await socket.frame("thread_history")
    headers = {
        "nothing": {},
        "a wrong token": {"Authorization": "Bearer zerg_" + "x" * 43},
        "a wrong session": {"Cookie": "zerg=" + "x" * 32, "Origin": owner.stack.origin},
    }[shown]
    in_quiet = await asks(owner, visitor, SECONDS)
    before = files_of(owner.stack)
    async with unnoticed(owner, fake):
        flood = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FLOOD, str(owner.stack.port), "500", str(SECONDS + 1)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        said = asyncio.create_task(flood.communicate(handshake(f"/api/threads/{thread['id']}/ws", headers)))
        async with owner.socket(thread) as socket:
            await socket.frame("thread_history")
        in_flood = await asks(owner, visitor, SECONDS)
        most = files_of(owner.stack)
        async with owner.socket(thread) as socket:
            await socket.frame("thread_history")
        output, _ = await said
    count, answers = output.decode().split(" ", 1)
    print(f"  page and API p95 {in_quiet:.0f} ms in quiet, {in_flood:.0f} ms in the flood")
    print(f"  {count} handshakes: {answers.strip()}; open files {before}, at most {most}")
    assert int(count) >= 400 * SECONDS
    at_once = NOBODIES_AT_ONCE if shown == "nothing" else STRANGERS_AT_ONCE
    assert json.loads(answers).get("101", 0) <= at_once + STRANGERS_PER_SECOND * (SECONDS + 3)
    assert most <= before + 300


async def asks(owner: Person, visitor: Visitor, seconds: float) -> float:
    """Reads a page and the API again and again; the p95 of an answer, in milliseconds."""
    took, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        for ask in (lambda: owner.get("/api/threads?limit=1"), lambda: visitor.page("/settings/profile/")):
            began = time.monotonic()
            await ask()
            took.append((time.monotonic() - began) * 1000)
    return statistics.quantiles(took, n=20)[-1]


async def test_a_stranger_is_told_so_and_does_not_stay(owner: Person) -> None:
    before = files_of(owner.stack)
    for _ in range(10):
        wire = await Wire.open(owner.stack)
        await wire.send(handshake("/api/threads/1/ws", {}))
        await wire.read_until(b"\r\n\r\n")
        socket = RawSocket(wire)
        assert await socket.closed() == 4401
    # They do not answer the close, and do not hang up: the server does.

    async def all_gone() -> bool:
        return files_of(owner.stack) <= before + 2

    await eventually(all_gone, "their connections are gone", 10)


async def test_a_person_has_so_many_sockets_and_keeps_the_first(visitor: Visitor, owner: Person) -> None:
    thread = await owner.thread()
    async with visitor.api_socket(thread["id"]) as first:
        await first.frame("thread_history")
        others = [
            await visitor.connect(f"/api/threads/{thread['id']}/ws", {"Origin": visitor.origin}) for _ in range(49)
        ]
        for connection in others:
            assert (await connection.receive_json())["type"] == "thread_history"
        async with visitor.api_socket(thread["id"]) as one_too_many:
            assert await one_too_many.closed() == 4429
            assert one_too_many.reader.of("error")[0]["code"] == "too_many_sockets"
        async with owner.socket(thread) as program:
            await program.frame("thread_history")
        await first.send("ping", timestamp=1)
        await first.frame("pong")
        for connection in others:
            await connection.close()
        await first.send("ping", timestamp=2)
        async with visitor.api_socket(thread["id"]) as again:
            await again.frame("thread_history")
