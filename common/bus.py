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

import redis
import redis.asyncio
from django.conf import settings

log = logging.getLogger(__name__)

ROWS_CHANGED = b"rows"
"""The doorbell: rows of the thread changed; read those newer than the version you have."""

BUS_ERRORS = (redis.RedisError, OSError)


def thread_topic(thread_id: int) -> str:
    return f"zerg:thread:{thread_id}"


@functools.cache
def _sync_client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1)


def ring(thread_id: int) -> None:
    """Rings the doorbell of a thread from sync code, after the commit that changed its rows."""
    try:
        _sync_client().publish(thread_topic(thread_id), ROWS_CHANGED)
    except BUS_ERRORS:
        log.debug("The bus is down; watchers of thread %s will read the rows", thread_id)


class Publisher:
    """Publishes from one event loop without waiting: what gathers while a batch is under way goes out in the next."""

    LONGEST_BACKLOG = 20_000

    def __init__(self) -> None:
        self._client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=2, single_connection_client=True
        )
        self._backlog: deque[tuple[str, bytes]] = deque(maxlen=self.LONGEST_BACKLOG)
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._drain())

    def send(self, topic: str, payload: bytes) -> None:
        """Queues one message; messages leave in the order they came."""
        self._backlog.append((topic, payload))
        self._wake.set()

    async def _drain(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch = list(self._backlog)
            self._backlog.clear()
            try:
                async with self._client.pipeline(transaction=False) as pipeline:
                    for topic, payload in batch:
                        pipeline.publish(topic, payload)
                    await pipeline.execute()
            except BUS_ERRORS:
                log.debug("The bus is down; %d frames dropped", len(batch))
                await asyncio.sleep(0.2)

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._client.aclose()


class Subscriber:
    """One connection for all topics that this process listens to, mended by itself.

    ``on_message(topic, payload)`` is called in the loop. ``on_restored()`` is called after each new connection, when
    every topic is subscribed again: messages may have been missed, so read the rows.
    """

    HOME = "zerg:home"  # keeps the connection in subscribed mode when nobody watches anything

    def __init__(self, on_message: Callable[[str, bytes], None], on_restored: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_restored = on_restored
        self._topics: dict[str, asyncio.Event] = {}
        self._pubsub: redis.asyncio.client.PubSub | None = None
        self._task = asyncio.create_task(self._listen())
        self.connected = False

    async def subscribe(self, topic: str, patience: float = 1.0) -> bool:
        """Listens to ``topic``. True once the server has confirmed; False when it did not within ``patience`` seconds
        (the bus is down: the topic is subscribed as soon as it is back)."""
        confirmed = self._topics.setdefault(topic, asyncio.Event())
        if self.connected and self._pubsub and not confirmed.is_set():
            with contextlib.suppress(*BUS_ERRORS):
                await self._pubsub.subscribe(topic)
        try:
            await asyncio.wait_for(confirmed.wait(), patience)
        except TimeoutError:
            return False
        return True

    async def unsubscribe(self, topic: str) -> None:
        self._topics.pop(topic, None)
        if self.connected and self._pubsub:
            with contextlib.suppress(*BUS_ERRORS):
                await self._pubsub.unsubscribe(topic)

    async def _listen(self) -> None:
        delay = 0.1
        while True:
            try:
                await self._listen_once()
                delay = 0.1
            except BUS_ERRORS as error:
                log.warning("The live bus is down (%s); pages read the rows until it is back", error)
            self.connected = False
            for confirmed in self._topics.values():
                confirmed.clear()
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    async def _listen_once(self) -> None:
        # redis-py's default socket_timeout of 5 s would end an idle subscription: silence is normal here.
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=1, socket_keepalive=True
        )
        async with client, client.pubsub() as pubsub:
            await pubsub.subscribe(self.HOME, *self._topics)
            self._pubsub, self.connected = pubsub, True
            async for message in pubsub.listen():
                self._handle(message)

    def _handle(self, message: dict[str, object]) -> None:
        channel = message["channel"]
        topic = channel.decode() if isinstance(channel, bytes) else str(channel)
        if message["type"] == "message" and isinstance(message["data"], bytes):
            self._on_message(topic, message["data"])
        elif message["type"] == "subscribe" and topic == self.HOME:
            self._on_restored()
        elif message["type"] == "subscribe" and topic in self._topics:
            self._topics[topic].set()

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
