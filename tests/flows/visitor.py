"""Somebody with a browser but without its script: a session, forms with their CSRF tokens, and the page's socket."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any, Self

import aiohttp
from yarl import URL

from tests.flows.people import Answer
from tests.flows.reader import Frame
from tests.flows.sockets import Socket
from tests.flows.stack import Stack

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class PageSocket(Socket):
    """The socket of a thread's page: ``texts`` holds the finished blocks of each message and what follows them."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(connection)
        self.frames: list[Frame] = []
        self.blocks: dict[int, list[str]] = {}
        self.tails: dict[int, str] = {}

    def take(self, frame: Frame) -> None:
        self.frames.append(frame)
        if frame.get("t") == "put" and (article := re.fullmatch(r"m-(\d+)", frame["id"])):
            number = int(article[1])
            self.blocks[number], self.tails[number] = blocks_of(frame["h"], number), ""
        if frame.get("t") == "tail":
            have = self.blocks[frame["m"]]
            assert frame["from"] <= len(have), f"blocks from {frame['from']}, and {len(have)} are here"
            have[frame["from"] :] = frame["b"]
            self.tails[frame["m"]] = frame["h"]

    def seen(self) -> list[Frame]:
        return self.frames

    def html(self, message: int) -> str:
        return "".join(self.blocks.get(message, [])) + self.tails.get(message, "")

    async def settled(self, message: int) -> str:
        """The HTML of a message once the socket says that it is done."""
        done = 'data-state="done"'
        await self.until(
            lambda: [f for f in [*self.puts(f"m-{message}"), *self.puts(f"m-{message}-st")] if done in f["h"]],
            f"message {message} is done",
        )
        return self.html(message)

    def puts(self, element: str) -> list[Frame]:
        return [frame for frame in self.frames if frame["t"] == "put" and frame["id"] == element]

    async def put(self, element: str, piece: str = "", seconds: float = 20.0) -> Frame:
        """The first frame that puts this element with ``piece`` in its HTML."""
        found = await self.until(
            lambda: [frame for frame in self.puts(element) if piece in frame["h"]], f"{element} with {piece!r}", seconds
        )
        return found[0]

    async def of_kind(self, kind: str, seconds: float = 20.0) -> Frame:
        found = await self.until(lambda: [f for f in self.frames if f["t"] == kind], kind, seconds)
        return found[0]

    def last_of_kind(self, kind: str) -> Frame:
        return [frame for frame in self.frames if frame["t"] == kind][-1]


class Visitor:
    """One session at a Zerg, at the origin that it calls its own."""

    def __init__(self, stack: Stack, origin: str, http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.origin = origin
        self.http = http

    @classmethod
    @asynccontextmanager
    async def of(cls, stack: Stack, origin: str = "") -> AsyncIterator[Self]:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar, connector=aiohttp.TCPConnector(force_close=True)) as http:
            yield cls(stack, origin or stack.origin, http)

    async def see(self, path: str, **options: Any) -> Answer:
        async with self.http.get(f"{self.origin}{path}", **options) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def page(self, path: str) -> str:
        answer = await self.see(path)
        assert answer.status == 200, (path, answer.status)
        return answer.text

    async def submit(
        self, page: str, action: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Sends a form of ``page`` to ``action``, with the page's token; follows no redirect."""
        return await self.submit_with(await self.token_of(page), action, fields, headers)

    async def token_of(self, page: str) -> str:
        """The token that the forms of a page bring along."""
        found = TOKEN.search(await self.page(page))
        assert found, f"{page} has no form"
        return found[1]

    async def submit_with(
        self, token: str, action: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        data = {"csrfmiddlewaretoken": token, **fields}
        sent = {"Origin": self.origin, **(headers or {})}
        async with self.http.post(f"{self.origin}{action}", data=data, headers=sent, allow_redirects=False) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def sign_in(self, email: str = "", password: str = "") -> None:
        who = self.stack.accounts
        fields = {"email": email or who.email, "password": password or who.password}
        answer = await self.submit("/sign-in/", "/sign-in/", fields)
        assert answer.status in (302, 303), answer.text

    async def sign_out(self) -> None:
        answer = await self.submit("/settings/profile/", "/sign-out/", {})
        assert answer.status in (302, 303)

    async def connect(self, path: str, headers: Mapping[str, str]) -> aiohttp.ClientWebSocketResponse:
        """A socket with this session's cookies and these headers only."""
        cookies = self.http.cookie_jar.filter_cookies(URL(self.origin))
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
        return await self.http.ws_connect(f"{self.origin}{path}", headers={"Cookie": cookie, **headers})

    @asynccontextmanager
    async def api_socket(self, thread_id: int) -> AsyncIterator[Socket]:
        opened = Socket(await self.connect(f"/api/threads/{thread_id}/ws", {"Origin": self.origin}))
        try:
            yield opened
        finally:
            await opened.close()

    @asynccontextmanager
    async def page_socket(self, thread_id: int, **place: Any) -> AsyncIterator[PageSocket]:
        """The page's socket, after it said where it stands: by default at what the page shows now."""
        page = "" if place else await self.page(f"/threads/{thread_id}/")
        unfinished = {number: blocks_of(page, number) for number in streaming_on(page)}
        have = {str(number): len(blocks) for number, blocks in unfinished.items()}
        place = place or {**place_of(page), "have": have}
        opened = PageSocket(await self.connect(f"/threads/{thread_id}/live", {"Origin": self.origin}))
        opened.blocks.update(unfinished)
        await opened.connection.send_json({"op": "sub", **place})
        try:
            yield opened
        finally:
            await opened.close()


def place_of(page: str) -> dict[str, int]:
    """What a page's log says of its version and its branch."""
    log = re.search(r'<div id="log"[^>]*>', page)
    assert log
    version, leaf = (re.search(rf'data-{name}="(\d*)"', log[0]) for name in ("version", "leaf"))
    assert version
    return {"v": int(version[1]), **({"leaf": int(leaf[1])} if leaf and leaf[1] else {})}


def streaming_on(page: str) -> list[int]:
    """The messages that a page shows while they are being written."""
    articles = re.findall(r'<article class="turn" id="m-(\d+)"[^>]*data-status="streaming"', page)
    return [int(number) for number in articles]


def blocks_of(page: str, message: int) -> list[str]:
    """The finished blocks of a message on a page or in its article, each with exactly one root element."""
    start = page.index(f'id="m-{message}-b"')
    begin = page.index(">", start) + 1
    end = page.index(f'</div><div class="prose tail" id="m-{message}-t"', begin)
    cutter = _Roots(page[begin:end])
    return cutter.roots


class _Roots(HTMLParser):
    """Cuts HTML into its outermost elements."""

    VOID = ("br", "hr", "img", "input", "wbr")

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=False)
        self.roots: list[str] = []
        self._html = html
        self._lines = [0]
        for line in html.split("\n")[:-1]:
            self._lines.append(self._lines[-1] + len(line) + 1)
        self._starts: list[int] = []
        self._depth = 0
        self.feed(html)
        self.close()
        self.roots = [html[start:end] for start, end in pairwise([*self._starts, len(html)])]

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if self._depth == 0:
            line, column = self.getpos()
            self._starts.append(self._lines[line - 1] + column)
        self._depth += tag not in self.VOID

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag not in self.VOID
