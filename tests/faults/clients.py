"""Clients whose connections are cut again and again, each with its own way to come back. They only ever append."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from typing import Any

import aiohttp

from tests.faults.load import TROUBLE
from tests.flows.events import Listener
from tests.flows.people import Object, Person
from tests.flows.reader import Frame, Reader


class ReturningReader(Reader):
    """Reads on over many connections. A new one may begin a little behind what is known, and says the same again."""

    def begin_anew(self) -> None:
        self.streaming.clear()

    def _stream_start(self, frame: Frame) -> None:
        message, content = frame["message_id"], frame["content"]
        known = self.texts.get(message, "")
        assert content.startswith(known) or known.startswith(content), f"{known!r} was known, {content!r} begins"
        self.texts[message] = content
        self.streaming.add(message)


class Client(ABC):
    """Follows one run in one thread to its end. ``text`` is the answer as this client has it."""

    def __init__(self, person: Person, thread: Object, run_id: int) -> None:
        self.person = person
        self.thread = thread
        self.run_id = run_id
        self.connections = 0

    async def follow(self) -> None:
        while not self.has_all():
            self.connections += 1
            try:
                async with asyncio.timeout(30):
                    await self.connect()
            except TROUBLE:
                continue

    @abstractmethod
    async def connect(self) -> None:
        """One connection, as long as it lives."""

    @abstractmethod
    def rows(self) -> dict[int, Any]:
        """The messages as the client knows them, by id."""

    @abstractmethod
    def appended(self) -> dict[int, str]:
        """The texts that it put together, by message."""

    def _answer(self) -> Any:
        found = [row for row in self.rows().values() if row["run_id"] == self.run_id and row["role"] == "assistant"]
        return found[-1] if found else None

    def has_all(self) -> bool:
        answer = self._answer()
        return answer is not None and answer["status"] not in ("streaming", "queued")

    @property
    def text(self) -> str:
        answer = self._answer()
        appended = self.appended().get(answer["id"], "")
        assert answer["content"].startswith(appended), f"{appended!r} was put together of {answer['content']!r}"
        return str(answer["content"])


class SocketClient(Client):
    """The API's socket: history, then ``resume`` from the version it had."""

    def __init__(self, person: Person, thread: Object, run_id: int) -> None:
        super().__init__(person, thread, run_id)
        self.reader = ReturningReader()

    async def connect(self) -> None:
        address = f"{self.person.base}/api/threads/{self.thread['id']}/ws"
        async with self.person.http.ws_connect(address, headers=self.person.headers) as socket:
            had = self.reader.version
            self.reader.begin_anew()
            if had >= 0:
                await socket.send_json({"type": "resume", "version": had})
            async for message in socket:
                if message.type != aiohttp.WSMsgType.TEXT:
                    return
                self.reader.take(message.json())
                if self.has_all():
                    return

    def rows(self) -> dict[int, Any]:
        return self.reader.rows

    def appended(self) -> dict[int, str]:
        return self.reader.texts


class EventClient(Client):
    """Server-sent events: the same message again, with ``Last-Event-ID``."""

    def __init__(self, person: Person, thread: Object, run_id: int, body: Object) -> None:
        super().__init__(person, thread, run_id)
        self._listener = Listener(person, thread, body)

    async def connect(self) -> None:
        await self._listener.listen()

    def rows(self) -> dict[int, Any]:
        return self._listener.reader.rows

    def appended(self) -> dict[int, str]:
        return self._listener.reader.texts


class Poller(Client):
    """Asks for what changed after the version it has."""

    def __init__(self, person: Person, thread: Object, run_id: int, chance: random.Random) -> None:
        super().__init__(person, thread, run_id)
        self._chance = chance
        self._rows: dict[int, Any] = {}
        self._version = 0

    async def connect(self) -> None:
        for row in await self.person.messages(self.thread, after_version=self._version):
            known = self._rows.get(row["id"])
            if known is not None and known["status"] == "streaming":
                assert row["content"].startswith(known["content"]), "a text lost something it had"
            self._rows[row["id"]] = row
            self._version = max(self._version, row["version"])
        await asyncio.sleep(self._chance.uniform(0.05, 0.2))

    def rows(self) -> dict[int, Any]:
        return self._rows

    def appended(self) -> dict[int, str]:
        return {}
