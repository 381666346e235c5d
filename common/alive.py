"""Signs of life: each part says now and then that it is there, and what has not been heard of for 15 s is down."""

from __future__ import annotations

import functools
import logging

import redis
from django.conf import settings

log = logging.getLogger(__name__)

LIFE_SECONDS = 15
"""How long a sign counts. Say it again at least every five seconds."""

PARTS = ("worker", "beat")
BUS_ERRORS = (redis.RedisError, OSError)


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1)


def _key(part: str) -> str:
    return f"zerg:alive:{part}"


def mark(part: str) -> None:
    """``part`` is alive. Takes at most a second, and never fails: a bus that is down is another part's trouble."""
    try:
        _client().set(_key(part), b"1", ex=LIFE_SECONDS)
    except BUS_ERRORS:
        log.debug("The bus is down; nobody hears that the %s is alive", part)


def is_alive(part: str) -> bool:
    """Whether ``part`` was heard of within 15 s. Raises redis.RedisError or OSError when the bus is down."""
    return bool(_client().exists(_key(part)))
