"""“Try the look”: what a watch sees now, for whoever sets it up. Nothing is stored."""

from __future__ import annotations

import asyncio

from django.core.cache import cache

from accounts.models import User
from common.errors import ZergError
from common.fetch import Limits, fetch
from triggers.models import Schedule
from triggers.watching.looks import Sight, sight_of
from triggers.watching.settings import validate

PATIENCE = Limits(connect=5, total=10)
"""Somebody waits for it, and a thread of the web process with them."""
MOST_TRIES = 12
PER_SECONDS = 60


def look_once(schedule: Schedule, *, actor: User) -> Sight:
    """Looks at what ``schedule`` (which need not be saved) watches, and compares with what it remembers.

    Raises ZergError: as saving it would, as ``common.fetch.fetch`` does, or ``rate_limited``.
    """
    validate(schedule)
    kind = schedule.watch_kind
    if not kind:
        raise ZergError("bad_schedule", "Choose what to look at first.", {"watch_kind": "Choose what to look at."})
    _count(actor)
    answer = asyncio.run(fetch(schedule.watch_url, limits=PATIENCE, with_body=kind != Schedule.Watch.STATUS))
    return sight_of(kind, schedule.watch_path, answer, schedule.watch_seen)


def _count(actor: User) -> None:
    """One more try of this person, in this process: others cannot be made to ask the web for somebody for ever."""
    key = f"look:{actor.pk}"
    cache.add(key, 0, PER_SECONDS)
    try:
        tries = cache.incr(key)
    except ValueError:  # the minute ended in between
        tries = 1
    if tries > MOST_TRIES:
        raise ZergError("rate_limited", "That was often. Wait a minute, then try again.")
