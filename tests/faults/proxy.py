"""A TCP proxy that cuts its connections at random moments, also in the middle of a frame."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from itertools import cycle
from typing import Self

READ = 65_536
PATIENCE = 0.3
"""Seconds that a connection which is to be cut in the middle of a frame waits for one."""


class CuttingProxy:
    """Leads to the ``doors`` in turn, as a balancer does. A connection lives for between ``lives`` seconds.

    Half of the cuts fall between two reads of the network; the other half let a part of the next one through.
    """

    def __init__(self, doors: Sequence[str], chance: random.Random, lives: tuple[float, float]) -> None:
        self._ports = cycle([int(door.rpartition(":")[2]) for door in doors])
        self._chance = chance
        self._lives = lives
        self._server: asyncio.Server | None = None
        self.cuts = 0

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", next(self._ports))
        except OSError:
            writer.transport.abort()
            return
        passing = asyncio.create_task(_pass(reader, requests))
        try:
            if await self._pass_until_its_time(answers, writer):
                self.cuts += 1
        except OSError:
            pass  # one of the two sides was faster
        finally:
            passing.cancel()
            for side in (writer, requests):
                side.transport.abort()

    async def _pass_until_its_time(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """False when the connection came to its own end before."""
        end = asyncio.get_running_loop().time() + self._chance.uniform(*self._lives)
        is_within_a_frame = self._chance.random() < 0.5
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                while data := await answers.read(READ):
                    writer.write(data)
                    await writer.drain()
                await _flush(writer)
                return False
        if is_within_a_frame:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    data = await answers.read(READ)
                    writer.write(data[: self._chance.randrange(len(data) + 1)])
                    await _flush(writer)
        return True


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(READ):
            writer.write(data)
            await writer.drain()


async def _flush(writer: asyncio.StreamWriter) -> None:
    """Waits until everything has left."""
    writer.transport.set_write_buffer_limits(high=0)
    await writer.drain()
