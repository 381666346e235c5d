"""Signs of life: each part says now and then that it is there, and what has not been heard of for a while is down."""

from __future__ import annotations

import functools
import logging
import math

import redis
from django.conf import settings

log = logging.getLogger(__name__)

LIFE_SECONDS = 15
PARTS = ("worker", "beat")
BUS_ERRORS = (redis.RedisError, OSError)


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1)


def _key(part: str) -> str:
    return f"zerg:alive:{part}"


def life_of(part: str) -> int:
    """How many seconds a sign counts: 15, or three ticks of a beat that is set to be slow."""
    return max(LIFE_SECONDS, math.ceil(3 * settings.TICK_SECONDS)) if part == "beat" else LIFE_SECONDS


def mark(part: str) -> None:
    """``part`` is alive. Takes at most a second, and never fails: a bus that is down is another part's trouble."""
    try:
        _client().set(_key(part), b"1", ex=life_of(part))
    except BUS_ERRORS:
        log.debug("The bus is down; nobody hears that the %s is alive", part)


def is_alive(part: str) -> bool:
    """Whether ``part`` was heard of lately. Raises redis.RedisError or OSError when the bus is down."""
    return bool(_client().exists(_key(part)))
