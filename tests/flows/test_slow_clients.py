"""Clients that read slowly: text does not gather for them, and they end with the same text as everybody."""

from __future__ import annotations

import asyncio
import copy
import json

from tests.flows.hostile import RawSocket, Wire, request, unnoticed
from tests.flows.marks import on_postgres_only, on_sqlite_only
from tests.flows.people import Fake, Object, Person, unique
from tests.flows.reader import Reader

SLOW = 20
LINES = 60  # of 200 KB: all of them, for all clients, would be 240 MB
FAST = "[[script: long n=18000 rate=3000]]"  # 20 KB a second


async def message_of(person: Person, run_id: int, thread: Object) -> Object:
    (answer,) = await person.answers(run_id, thread)
    return answer


def same(reader: Reader, rows: list[Object]) -> bool:
    """Whether a client knows all rows as they are."""
    return all({**row, **reader.rows[row["id"]]} == {**reader.rows[row["id"]], **row} for row in rows)


@on_sqlite_only
async def test_a_socket_read_at_1_kb_a_second_skips_what_it_missed_and_ends_exactly(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    async with unnoticed(owner, fake):
        slow = [await RawSocket.open(owner, thread) for _ in range(SLOW)]
        async with owner.socket(thread, max_msg_size=0) as fast:
            sent = await owner.say(thread, unique(FAST))
            await asyncio.gather(*(socket.wire.read_slowly(5) for socket in slow))
            behind = [sum(len(frame.get("content", "")) for frame in socket.said) for socket in slow]
            assert max(behind) < 10_000
            await fast.run_ended(sent["run_id"])
            for socket in slow:
                await socket.hang_up()
    answer = await message_of(owner, sent["run_id"], thread)
    assert fast.reader.texts[answer["id"]] == answer["content"]
    chunks = len(fast.reader.of("stream_chunk"))
    for socket in slow:
        reader = Reader()
        for frame in socket.said:
            reader.take(frame)
        assert answer["content"].startswith(reader.texts[answer["id"]])
        assert len(reader.of("stream_chunk")) < chunks / 2


@on_sqlite_only
async def test_a_socket_that_is_not_read_is_let_go_and_comes_back_exactly(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    async with unnoticed(owner, fake, megabytes=120):
        slow = [await RawSocket.open(owner, thread) for _ in range(SLOW)]
        for _ in range(LINES):
            await owner.say(thread, "ä" * 100_000, role="assistant")
        codes = await asyncio.gather(*(socket.closed() for socket in slow))
    assert codes == [4408] * SLOW
    reader = Reader()
    for frame in slow[0].said:
        reader.take(frame)
    async with owner.socket(thread, max_msg_size=0) as again:
        await again.send("resume", version=reader.version)
        rows = await owner.messages(thread)
        await again.until(lambda: again.reader.rows.keys() == {row["id"] for row in rows}, "all rows")
    assert same(again.reader, rows)
    assert again.reader.rows.keys() >= reader.rows.keys()


def read_events(wire: Wire, reader: Reader) -> str:
    """Takes the whole events of a chunked answer into ``reader``; gives the last id."""
    _, _, body = wire.got.partition(b"\r\n\r\n")
    last = ""
    for event in dechunked(body).decode(errors="ignore").split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
        if "data" in fields:
            reader.take(json.loads(fields["data"]))
            last = fields["id"]
    return last


def dechunked(body: bytes | bytearray) -> bytes:
    """As far as it came."""
    whole = b""
    while b"\r\n" in body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


@on_postgres_only
async def test_an_event_stream_that_is_not_read_ends_and_is_resumed_exactly(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    path = f"/api/threads/{thread['id']}/messages"
    events = {**owner.headers, "Accept": "text/event-stream"}
    async with unnoticed(owner, fake, megabytes=120):
        slow = [await Wire.open(owner.stack) for _ in range(SLOW)]
        for wire in slow:
            await wire.send(request("GET", path, {**events, "Connection": "close"}))
        for _ in range(LINES):
            await owner.say(thread, "ä" * 100_000, role="assistant")
        await asyncio.gather(*(wire.read_on() for wire in slow))
    readers = [Reader() for _ in slow]
    last = [read_events(wire, reader) for wire, reader in zip(slow, readers, strict=True)]
    rest = await Wire.open(owner.stack, receive_buffer=0)
    await rest.send(request("GET", path, {**events, "Last-Event-ID": last[0]}))
    rows = await owner.messages(thread)
    resumed = readers[0]
    while resumed.rows.keys() != {row["id"] for row in rows}:
        rest.got += await asyncio.wait_for(rest.read(1 << 20), 10)
        resumed = copy.deepcopy(readers[0])
        read_events(rest, resumed)
    assert same(resumed, rows)


@on_postgres_only
async def test_a_plain_text_answer_read_at_1_kb_a_second_is_exact(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    async with unnoticed(owner, fake):
        slow = [await Wire.open(owner.stack) for _ in range(SLOW)]
        text = unique(FAST)
        body = json.dumps({"content": text, "client_message_id": "one"}).encode()
        headers = {**owner.headers, "Accept": "text/plain", "Content-Type": "application/json", "Connection": "close"}
        for wire in slow:
            await wire.send(request("POST", f"/api/threads/{thread['id']}/messages", headers, body))
        await asyncio.gather(*(wire.read_slowly(5) for wire in slow))
        assert all(len(wire.got) < 10_000 for wire in slow)
        await asyncio.gather(*(wire.read_on() for wire in slow))
    (answer,) = [row for row in await owner.messages(thread) if row["role"] == "assistant"]
    assert {dechunked(wire.got.partition(b"\r\n\r\n")[2]) for wire in slow} == {answer["content"].encode()}
