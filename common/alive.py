"""Signs of life: each part says now and then that it is there, and what has not been heard of for a while is down."""

from __future__ import annotations

import functools
import logging
import math
import threading
import time

import redis
from django.conf import settings

log = logging.getLogger(__name__)

LIFE_SECONDS = 15
SILENT_SECONDS = 60
"""A part of which nothing was heard for so long is spoken of on every page; a restart is no news."""
LOOK_SECONDS = 10
PARTS = ("worker", "beat")
BUS_ERRORS = (redis.RedisError, OSError)


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1)


def _key(part: str) -> str:
    return f"zerg:alive:{part}"


def _heard_key(part: str) -> str:
    return f"zerg:heard:{part}"


def life_of(part: str) -> int:
    """How many seconds a sign counts: 15, or three ticks of a beat that is set to be slow."""
    return max(LIFE_SECONDS, math.ceil(3 * settings.TICK_SECONDS)) if part == "beat" else LIFE_SECONDS


def mark(part: str) -> None:
    """``part`` is alive. Takes at most a second, and never fails: a bus that is down is another part's trouble."""
    try:
        signs = _client().pipeline(transaction=False)
        signs.set(_key(part), b"1", ex=life_of(part))
        signs.set(_heard_key(part), b"1", ex=max(SILENT_SECONDS, life_of(part)))
        signs.execute()
    except BUS_ERRORS:
        log.debug("The bus is down; nobody hears that the %s is alive", part)


def is_alive(part: str) -> bool:
    """Whether ``part`` was heard of lately. Raises redis.RedisError or OSError when the bus is down."""
    return bool(_client().exists(_key(part)))


class _Watch:
    """Looks every ten seconds, in a thread of its own, so that pages know without asking: none waits for the bus."""

    def __init__(self) -> None:
        self.silent: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alive", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self.silent = look_for_silent()
            time.sleep(LOOK_SECONDS)


_watch = _Watch()


def look_for_silent() -> tuple[str, ...]:
    """The parts of which nothing was heard for a minute; none while the bus is down, over which they are heard of."""
    try:
        return tuple(part for part in PARTS if not _client().exists(_heard_key(part)))
    except BUS_ERRORS:
        return ()


def silent() -> tuple[str, ...]:
    """The same as it was ten seconds ago at most: at once, and whatever the bus does. A process begins with none."""
    _watch.begin()
    return _watch.silent
