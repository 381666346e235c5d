"""Clients that do as they like with their connection, and somebody who behaves and is not to notice them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import socket
import statistics
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.flows.people import Fake, Object, Person, unique
from tests.flows.reader import Frame
from tests.flows.sockets import Socket
from tests.flows.stack import Stack

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
STAMP = re.compile(r"w\d+:(\d{19})")
NOTICED = 3.0
"""How many times later than in quiet the text of somebody else may come, for one token in twenty at most."""
NOTICED_MS = 500.0
"""What nobody notices, however quiet it was: the suite's other half and the hostile clients use the same cores."""


class Wire:
    """A TCP connection that reads no more than it is told to, with as small a buffer as the kernel gives."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.got = bytearray()

    @classmethod
    async def open(cls, stack: Stack, *, receive_buffer: int = 4096) -> Wire:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", stack.port))
        return cls(connection)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def read(self, most: int) -> bytes:
        """What is there, up to ``most`` bytes; b'' when the other side has closed or reset the connection."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.get_running_loop().sock_recv(self._connection, most)
        return b""

    async def read_slowly(self, seconds: float, bytes_per_second: int = 1024) -> None:
        """Keeps what it reads in ``got``."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.got += await self.read(bytes_per_second // 8)
            await asyncio.sleep(1 / 8)

    async def read_on(self, seconds: float = 20.0) -> bytes:
        """All that comes until the other side closes."""
        async with asyncio.timeout(seconds):
            while data := await self.read(1 << 20):
                self.got += data
        return bytes(self.got)

    async def read_until(self, mark: bytes, seconds: float = 20.0) -> bytes:
        """What comes before ``mark``; what comes after it stays."""
        async with asyncio.timeout(seconds):
            while mark not in self.got:
                data = await self.read(512)
                assert data, f"closed before {mark!r}: {self.got[:300]!r}"
                self.got += data
        before, _, self.got = self.got.partition(mark)
        return bytes(before)

    async def is_closed(self, seconds: float) -> bool:
        """Whether the other side closes within ``seconds``."""
        try:
            await self.read_on(seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._connection.close()


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def handshake(path: str, headers: dict[str, str]) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    lines = {"Host": "localhost", **upgrade, "Sec-WebSocket-Key": key, **headers}
    return "\r\n".join([f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in lines.items()), "", ""]).encode()


def frame(opcode: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    """A frame as a client sends it, masked with zeros."""
    first, length = opcode | (0x80 if is_last else 0), len(payload)
    if length < 126:
        head = struct.pack("!BB", first, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    return head + bytes(4) + payload


class RawSocket:
    """A WebSocket on a wire: ``frames`` are what the server sent, as far as it was read."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._frames: list[tuple[int, bytes]] = []
        self._at = 0

    @classmethod
    async def open(cls, person: Person, thread: Object, **options: Any) -> RawSocket:
        wire = await Wire.open(person.stack, **options)
        await wire.send(handshake(f"/api/threads/{thread['id']}/ws", person.headers))
        answer = await wire.read_until(b"\r\n\r\n")
        assert b" 101 " in answer, answer
        return cls(wire)

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        data = self.wire.got
        while len(data) - self._at >= 2:
            opcode, length, head = data[self._at] & 15, data[self._at + 1] & 127, self._at + 2
            if length > 125:
                size = 2 if length == 126 else 8
                length, head = int.from_bytes(data[head : head + size]), head + size
            if head + length > len(data):
                break
            self._frames.append((opcode, bytes(data[head : head + length])))
            self._at = head + length
        return self._frames

    @property
    def said(self) -> list[Frame]:
        return [json.loads(payload) for opcode, payload in self.frames if opcode == TEXT]

    @property
    def close_code(self) -> int | None:
        codes = [payload[:2] for opcode, payload in self.frames if opcode == CLOSE]
        return struct.unpack("!H", codes[0])[0] if codes and codes[0] else None

    async def closed(self, seconds: float = 10.0) -> int | None:
        """The code that the server closes with within ``seconds``; None when it only cuts the connection."""
        async with asyncio.timeout(seconds):
            while self.close_code is None and (data := await self.wire.read(1 << 20)):
                self.wire.got += data
        return self.close_code

    async def hang_up(self) -> None:
        """Says good-bye and reads on until the server has said it, too."""
        await self.wire.send(frame(CLOSE, struct.pack("!H", 1000)))
        await self.wire.read_on()
        self.wire.close()


# Somebody who behaves


class Punctual(Socket):
    """A socket that notes how old each token is when it comes: the model server stamps them."""

    def __init__(self, connection: Any) -> None:
        self.ages_ms: list[float] = []
        super().__init__(connection)

    def take(self, frame: Frame) -> None:
        now = time.time_ns()
        if frame["type"] == "stream_chunk":
            self.ages_ms += [(now - int(stamp)) / 1e6 for stamp in STAMP.findall(frame["content"])]
        super().take(frame)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.ages_ms, n=20)[-1]


async def listen(person: Person, fake: Fake, is_over: Callable[[], bool] | None = None, seconds: float = 2.0) -> float:
    """Reads streams of 50 tokens/s, one after the other, until ``is_over`` and at least for one of ``seconds``. Each
    arrives exactly; gives the p95 of how old tokens are on arrival, in milliseconds."""
    thread = await person.thread()
    address = f"{person.stack.base}/api/threads/{thread['id']}/ws"
    async with person.http.ws_connect(address, headers=person.headers, max_msg_size=0) as connection:
        socket = Punctual(connection)
        while True:
            text = unique(f"[[script: long n={int(50 * seconds)} rate=50 stamp=1]]")
            sent = await person.say(thread, text)
            await socket.run_ended(sent["run_id"])
            (answer,) = socket.reader.answers_of(sent["run_id"])
            assert (
                socket.reader.texts[answer["id"]] == answer["content"] == await fake.sent(await fake.asked_once(text))
            )
            if is_over is None or is_over():
                break
        await socket.close()
    return socket.p95


@asynccontextmanager
async def unnoticed(person: Person, fake: Fake, *, megabytes: float = 20.0) -> AsyncIterator[None]:
    """Whatever goes on inside, somebody who reads a stream does not notice, and web's memory stays flat."""
    quiet = await listen(person, fake)
    before = memory_of(person.stack)
    is_over = asyncio.Event()
    most = asyncio.create_task(_highest(person.stack, is_over))
    listening = asyncio.create_task(listen(person, fake, is_over.is_set))
    try:
        yield
    finally:
        is_over.set()
        p95, peak = await listening, await most
    print(f"\n  p95 {quiet:.0f} ms in quiet, {p95:.0f} ms now; web {before:.0f} MB, at most {peak:.0f} MB")
    assert p95 <= max(NOTICED * quiet, NOTICED_MS)
    assert peak - before <= megabytes


async def _highest(stack: Stack, is_over: asyncio.Event) -> float:
    peak = 0.0
    while not is_over.is_set():
        peak = max(peak, memory_of(stack))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), 0.2)
    return peak


def memory_of(stack: Stack, part: str = "web") -> float:
    """What a process holds in memory, in megabytes."""
    status = Path(f"/proc/{stack.parts[part].pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def files_of(stack: Stack, part: str = "web") -> int:
    """How many files and connections a process has open."""
    return len(list(Path(f"/proc/{stack.parts[part].pid}/fd").iterdir()))


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in itertools.takewhile(lambda at: at < len(data), itertools.count(0, size))]
