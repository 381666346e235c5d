"""A socket in a test: everything that comes is kept, and may be waited for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

import aiohttp

from tests.flows.reader import Frame, Reader

T = TypeVar("T")


class Socket:
    """Reads in the background from the moment it is open. ``reader`` checks every frame as it comes."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self.connection = connection
        self.reader = Reader()
        self._came = asyncio.Condition()
        self._failure: Exception | AssertionError | None = None
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self.connection:
                assert message.type == aiohttp.WSMsgType.TEXT, message
                self.take(json.loads(message.data))
                async with self._came:
                    self._came.notify_all()
        except (AssertionError, ValueError, aiohttp.ClientError) as error:
            self._failure = error
        finally:
            async with self._came:
                self._came.notify_all()

    def take(self, frame: Frame) -> None:
        self.reader.take(frame)

    @property
    def close_code(self) -> int | None:
        return self.connection.close_code

    async def send(self, type_: str, **fields: Any) -> None:
        await self.connection.send_json({"type": type_, **fields})

    async def send_text(self, text: str) -> None:
        await self.connection.send_str(text)

    async def until(self, look: Callable[[], T], what: str, seconds: float = 20.0) -> T:
        """Waits until ``look`` finds something in what has come, and gives that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._came:
                while True:
                    if self._failure is not None:
                        raise self._failure
                    if found := look():
                        return found
                    assert not self._task.done(), f"closed with {self.close_code} before: {what}"
                    await self._came.wait()
        kinds = [frame.get("type", frame.get("t")) for frame in self.seen()[-12:]]
        raise AssertionError(f"not within {seconds:g} s: {what}; the last frames: {kinds}")

    def seen(self) -> list[Frame]:
        """All that has come."""
        return self.reader.frames

    async def frame(self, kind: str, **fields: Any) -> Frame:
        """The first frame of this type with these fields, whether it has come or is to come."""
        found = await self.until(lambda: self.reader.of(kind, **fields), f"{kind} {fields}")
        return found[0]

    async def run_ended(self, run_id: int, seconds: float = 30.0) -> Frame:
        """The run as its last frame shows it."""
        await self.until(lambda: self.reader.has_ended(run_id), f"run {run_id} ends", seconds)
        return self.reader.runs[run_id]

    async def text_with(self, piece: str) -> str:
        """The text of the newest message, as soon as it holds ``piece``."""
        texts = self.reader.texts
        await self.until(lambda: bool(texts) and piece in texts[max(texts)], f"text with {piece!r}")
        return texts[max(texts)]

    async def closed(self, seconds: float = 10.0) -> int | None:
        """The code that the server closed with."""
        async with asyncio.timeout(seconds):
            await asyncio.wait([self._task])
        if isinstance(self._failure, AssertionError):
            raise self._failure
        return self.close_code

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.wait([self._task])
        if self._failure is not None and isinstance(self._failure, AssertionError):
            raise self._failure
