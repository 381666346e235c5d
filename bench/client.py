"""The clients of a benchmark, in a process of their own: ``python -m bench.client``.

It reads an Order, opens its sockets and prints ``ready``; reads a line, sends the messages, and prints a Report.
Each token of the model's text carries its number and the time it was sent, so loss, order and delay are read from what
the client got, whatever stands between.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import aiohttp

STAMPED = re.compile(r"w(\d+):(\d{19})")
Door = Literal["direct", "api", "page"]


@dataclass(frozen=True)
class Order:
    """``streams`` streams of ``tokens`` tokens at ``rate`` per second, begun over ``ramp`` seconds.

    Through ``door``: ``direct`` asks the model server itself, ``api`` reads the API's socket, ``page`` the page's.
    ``threads`` are ids of empty threads, one for each stream.
    """

    door: Door
    streams: int
    tokens: int
    rate: float
    ramp: float
    bases: list[str]
    token: str = ""
    threads: list[int] = field(default_factory=list)


@dataclass
class Stream:
    """What one client saw. Times in seconds, delays in milliseconds; ``lost`` counts tokens that never came."""

    posted: float = 0.0
    first: float = 0.0
    delays: list[float] = field(default_factory=list)
    got: int = 0
    lost: int = 0
    disordered: int = 0
    failed: str = ""


@dataclass
class Report:
    streams: list[Stream]
    seconds: float


class Counter:
    """Follows the numbers of the tokens: each must come once, in order."""

    def __init__(self, stream: Stream, began: float) -> None:
        self.stream = stream
        self.next = 0
        self.began = began

    def take(self, text: str) -> None:
        """Tokens in ``text``; those that were seen before are passed over."""
        now = time.time_ns()
        for found in STAMPED.finditer(text):
            number = int(found[1])
            if number < self.next:
                continue
            if number > self.next:
                self.stream.disordered += 1
            if not self.stream.got:
                self.stream.first = time.monotonic() - self.began
            self.next = number + 1
            self.stream.got += 1
            self.stream.delays.append((now - int(found[2])) / 1e6)


def script(order: Order, number: int) -> str:
    return f"[[script: long n={order.tokens} rate={order.rate:g} stamp=1 paragraph=40]] {number}"


class Start:
    """All clients wait here until all are here and somebody says go; then they begin one after another."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._missing = order.streams
        self.all_here = asyncio.Event()
        self.go = asyncio.Event()

    async def wait(self, number: int) -> None:
        self._missing -= 1
        if not self._missing:
            self.all_here.set()
        await self.go.wait()
        await asyncio.sleep(self._order.ramp * number / self._order.streams)


@dataclass(frozen=True)
class Client:
    """One stream's client."""

    order: Order
    http: aiohttp.ClientSession
    number: int
    start: Start
    stream: Stream

    @property
    def base(self) -> str:
        return self.order.bases[self.number % len(self.order.bases)]

    @property
    def thread(self) -> int:
        return self.order.threads[self.number]


async def perform(order: Order) -> Report:
    """Runs all streams and gives what their clients saw."""
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {order.token}"} if order.token else {}
    start = Start(order)
    async with aiohttp.ClientSession(connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as http:
        clients = [Client(order, http, number, start, Stream()) for number in range(order.streams)]
        tasks = [asyncio.create_task(_run(client)) for client in clients]
        await start.all_here.wait()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began = time.monotonic()
        start.go.set()
        await asyncio.gather(*tasks)
    return Report([client.stream for client in clients], time.monotonic() - began)


async def _run(client: Client) -> None:
    order, stream = client.order, client.stream
    try:
        async with asyncio.timeout(order.ramp + 3 * order.tokens / order.rate + 60):
            await {"direct": _direct, "api": _api, "page": _page}[order.door](client)
    except (TimeoutError, aiohttp.ClientError, RuntimeError) as error:
        stream.failed = f"{type(error).__name__}: {error}"
    stream.lost = order.tokens - stream.got


async def _direct(client: Client) -> None:
    order, stream, number = client.order, client.stream, client.number
    await client.start.wait(number)
    messages = [{"role": "system", "content": "You help."}, {"role": "user", "content": script(order, number)}]
    body = {"model": "fake-1", "stream": True, "messages": messages}
    counter = Counter(stream, time.monotonic())
    async with client.http.post(f"{client.base}/v1/chat/completions", json=body) as answer:
        stream.posted = time.monotonic() - counter.began
        rest = ""
        async for piece in answer.content.iter_any():
            whole, newline, rest = (rest + piece.decode()).rpartition("\n")
            counter.take(whole + newline)


async def _api(client: Client) -> None:
    async with client.http.ws_connect(f"{client.base}/api/threads/{client.thread}/ws") as socket:
        await socket.receive()
        counter, run_id = await _say(client)
        async for frame in _frames(socket):
            if frame["type"] in {"stream_start", "stream_chunk"}:
                counter.take(frame["content"])
            elif frame["type"] == "run" and frame["run"]["id"] == run_id and frame["run"]["finished_at"]:
                if frame["run"]["status"] != "succeeded":
                    client.stream.failed = f"{frame['run']['reason']}: {frame['run']['error']}"
                return


async def _page(client: Client) -> None:
    async with client.http.ws_connect(f"{client.base}/threads/{client.thread}/live") as socket:
        await socket.send_json({"op": "sub", "v": 0, "leaf": None, "have": {}})
        frames = _frames(socket)
        async for frame in frames:
            if frame["t"] == "ready":
                break
        counter, _ = await _say(client)
        async for frame in frames:
            if frame["t"] == "tail":
                counter.take("".join([*frame["b"], frame["h"]]))
            elif frame["t"] == "put" and 'data-role="assistant"' in frame["h"]:
                counter.take(frame["h"])
                if 'data-state="done"' in frame["h"]:
                    _require_whole(client, frame["h"])
                    return
                if 'data-state="failed"' in frame["h"]:
                    client.stream.failed = "the page says that it failed"
                    return


def _require_whole(client: Client, html: str) -> None:
    """The settled answer holds every token once, in order."""
    if [int(found[1]) for found in STAMPED.finditer(html)] != list(range(client.order.tokens)):
        client.stream.failed = "the settled answer is not what was sent"


async def _say(client: Client) -> tuple[Counter, int]:
    await client.start.wait(client.number)
    counter = Counter(client.stream, time.monotonic())
    body = {"role": "user", "content": script(client.order, client.number)}
    async with client.http.post(f"{client.base}/api/threads/{client.thread}/messages", json=body) as answer:
        said: dict[str, Any] = await answer.json()
        client.stream.posted = time.monotonic() - counter.began
        if answer.status != 201:
            raise RuntimeError(f"{answer.status}: {said}")
    return counter, said["run_id"]


async def _frames(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    async for message in socket:
        if message.type != aiohttp.WSMsgType.TEXT:
            break
        yield json.loads(message.data)
    else:
        raise RuntimeError(f"closed with {socket.close_code}")


def all_delays(report: Report) -> list[float]:
    return list(itertools.chain.from_iterable(stream.delays for stream in report.streams))


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(perform(Order(**json.loads(sys.stdin.readline())))))))
