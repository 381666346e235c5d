"""Those who use a stack from outside: people with tokens over HTTP and sockets, and the model server's own account."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp

from tests.flows.reader import FINISHED, Frame
from tests.flows.sockets import Socket
from tests.flows.stack import Stack

T = TypeVar("T")
Object = dict[str, Any]


async def eventually(ask: Callable[[], Awaitable[T]], what: str, seconds: float = 20.0) -> T:
    """Asks until the answer is true, and gives it; fails the test when it is not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (answer := await ask()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}; the last answer was {answer!r}"
        await asyncio.sleep(0.03)
    return answer


def unique(text: str = "Hello") -> str:
    """A text that no other message has: the model server's records are found by it."""
    return f"{text} {uuid4().hex[:12]}"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> Object:
        """The error of an answer that is one."""
        found: Object = self.json["error"]
        assert found.keys() == {"code", "message", "fields"}
        return found


@dataclass
class Person:
    """Somebody with an API token (none: ''), at one stack; ``door`` is the address they use, if not its first web's."""

    stack: Stack
    token: str
    http: aiohttp.ClientSession = field(repr=False)
    door: str = ""

    @property
    def base(self) -> str:
        return self.door or self.stack.base

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def call(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        """One request; ``body`` is sent as JSON, ``raw`` as it is."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {**self.headers, "Content-Type": "application/json", **headers}
        async with self.http.request(method, f"{self.base}{path}", data=data, headers=sent) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def get(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status == 200, (answer.status, answer.text)
        return answer.json

    async def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        answer = await self.call("POST", path, body)
        assert answer.status == status, (answer.status, answer.text)
        return answer.json

    # What nearly every flow does

    async def agent(self, **fields: Any) -> Object:
        made: Object = await self.post("/api/agents", {"name": "Scout", **fields})
        return made

    async def thread(self, agent: Object | None = None, **fields: Any) -> Object:
        """A new thread; with a new agent if none is given."""
        agent = agent or await self.agent()
        made: Object = await self.post("/api/threads", {"agent_id": agent["id"], "title": "Flow", **fields})
        return made

    async def say(self, thread: Object, text: str, **fields: Any) -> Object:
        """The stored message, with its ``run_id``."""
        sent: Object = await self.post(f"/api/threads/{thread['id']}/messages", {"content": text, **fields})
        return sent

    async def ended(self, run_id: int, seconds: float = 30.0) -> Object:
        """The run, once it is over."""

        async def look() -> Object | None:
            run: Object = await self.get(f"/api/runs/{run_id}")
            return run if run["status"] in FINISHED else None

        return await eventually(look, f"run {run_id} ends", seconds) or {}

    async def ask(self, thread: Object, text: str, seconds: float = 30.0) -> Object:
        """Says something and gives the run that answered it."""
        return await self.ended((await self.say(thread, text))["run_id"], seconds)

    async def messages(self, thread: Object, **query: int) -> list[Object]:
        words = "&".join(f"{name}={value}" for name, value in {"limit": 500, **query}.items())
        rows: list[Object] = await self.get(f"/api/threads/{thread['id']}/messages?{words}")
        return rows

    async def answers(self, run_id: int, thread: Object) -> list[Object]:
        """The assistant's rows of a run, in order."""
        rows = await self.messages(thread)
        return [row for row in rows if row["run_id"] == run_id and row["role"] == "assistant"]

    @asynccontextmanager
    async def socket(self, thread: Object | int, **options: Any) -> AsyncIterator[Socket]:
        """The API's socket on a thread."""
        thread_id = thread if isinstance(thread, int) else thread["id"]
        address = f"{self.base}/api/threads/{thread_id}/ws"
        options.setdefault("headers", self.headers)
        async with self.http.ws_connect(address, **options) as connection:
            opened = Socket(connection)
            try:
                yield opened
            finally:
                await opened.close()


@asynccontextmanager
async def people_of(stack: Stack) -> AsyncIterator[tuple[Person, Person]]:
    """The owner of things and the stranger."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        accounts = stack.accounts
        yield Person(stack, accounts.token, http), Person(stack, accounts.stranger_token, http)


class Fake:
    """The model server as its own records show it."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def _get(self, path: str) -> str:
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}{path}") as answer:
            return await answer.text()

    async def asked(self, text: str) -> list[Object]:
        """The requests whose newest user message holds ``text``, oldest first; summaries left out."""
        records: list[Object] = json.loads(await self._get("/_requests"))
        return [record for record in records if text in newest_user_text(record)]

    async def asked_once(self, text: str) -> Object:
        found = await self.asked(text)
        assert len(found) == 1, f"{len(found)} requests"
        return found[0]

    async def sent(self, record: Object) -> str:
        """What was answered, exactly."""
        return await self._get(f"/_sent/{record['n']}")


def newest_user_text(record: Object) -> str:
    said = [message["content"] for message in record["body"]["messages"] if message["role"] == "user"]
    return str(said[-1]) if said else ""


def texts(frames: list[Frame]) -> str:
    return "".join(str(frame["content"]) for frame in frames)
