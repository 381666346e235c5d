"""The live bus: who watches a thread hears that something changed, within a millisecond.

The bus is a courtesy. Nothing exists only on it: every listener can read the rows instead, so whatever is lost here
(a dead broker, a dropped connection) costs freshness and never text.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import redis
import redis.asyncio
from django.conf import settings

log = logging.getLogger(__name__)

ROWS_CHANGED = b"rows"
"""The doorbell: rows of the thread changed; read those newer than the version you have."""

BUS_ERRORS = (redis.RedisError, OSError)


CHANNEL = "zerg:live"
"""One for all: a worker's frames leave together, as one message. Who hears it looks at the threads that it watches."""

SENDING_SECONDS = 2.0

Batch = list[tuple[int, bytes]]
"""Thread ids, each with a payload: the doorbell, or a frame of text."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Batch).decode


@functools.cache
def _sync_client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1)


def ring(*thread_ids: int) -> None:
    """Rings the doorbells of threads from sync code, after the commit that changed their rows."""
    try:
        _sync_client().publish(CHANNEL, _encode([(thread_id, ROWS_CHANGED) for thread_id in thread_ids]))
    except BUS_ERRORS:
        log.debug("The bus is down; watchers of threads %s will read the rows", thread_ids)


class Publisher:
    """Publishes from one event loop without waiting: what gathers while a batch is under way goes out in the next."""

    LONGEST_BACKLOG = 5_000

    def __init__(self) -> None:
        # With its own timeout it would send from another task, in the event loop's next round.
        self._client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=None, single_connection_client=True
        )
        self._backlog: deque[tuple[int, bytes]] = deque(maxlen=self.LONGEST_BACKLOG)
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._drain())

    def send(self, thread_id: int, payload: bytes) -> None:
        """Queues one payload; they leave in the order they came."""
        self._backlog.append((thread_id, payload))
        self._wake.set()

    async def _drain(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch = list(self._backlog)
            self._backlog.clear()
            try:
                async with asyncio.timeout(SENDING_SECONDS):
                    await self._client.publish(CHANNEL, _encode(batch))
            except BUS_ERRORS:
                log.debug("The bus does not answer; %d messages wait", len(batch))
                await asyncio.sleep(0.2)
                # Hearing something twice does no harm. Of too many the newest are kept: they tell most.
                self._backlog = deque([*batch, *self._backlog], maxlen=self.LONGEST_BACKLOG)
                self._wake.set()

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._client.aclose()


class Subscriber:
    """A connection to the bus, mended by itself.

    ``on_message(thread_id, payload)`` is called in the loop, for all threads. ``on_restored()`` is called when a new
    connection listens: messages may have been missed, so read the rows.
    """

    def __init__(self, on_message: Callable[[int, bytes], None], on_restored: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_restored = on_restored
        self._task = asyncio.create_task(self._listen())
        self.connected = False

    async def _listen(self) -> None:
        delay = 0.1
        while True:
            try:
                await self._listen_once()
                delay = 0.1
            except BUS_ERRORS as error:
                log.warning("The live bus is down (%s); pages read the rows until it is back", error)
            self.connected = False
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    async def _listen_once(self) -> None:
        # redis-py's default socket_timeout of 5 s would end an idle subscription: silence is normal here.
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=1, socket_keepalive=True
        )
        async with client, client.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            async for message in pubsub.listen():
                self._handle(message)

    def _handle(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self.connected = True
            self._on_restored()
        elif message["type"] == "message":
            try:
                batch = _decode(message["data"])
            except msgspec.DecodeError:
                log.warning("Something else writes to the channel %s of the bus; that is ignored", CHANNEL)
                return
            for thread_id, payload in batch:
                self._on_message(thread_id, payload)

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
