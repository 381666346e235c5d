"""Who may watch a thread: asked when somebody comes, and again and again while they stay."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache

from accounts.models import User
from accounts.sockets import Credential
from common.database import in_database
from threads.models import Thread

log = logging.getLogger(__name__)

NOT_SIGNED_IN, NOT_FOUND, TOO_SLOW, TOO_MANY = 4401, 4404, 4408, 4429
RECHECK_SECONDS = 3.0
SOCKETS_OF_A_PERSON = 50
SOCKETS_OF_A_PROGRAM = 500
Refusal = tuple[int, str, str]
"""The code to close with, the error's code, and a sentence."""

Watcher = tuple[Credential, int]
"""Who watches, and which thread."""

STRANGER: Refusal = (NOT_SIGNED_IN, "not_signed_in", "Sign in, or send a valid API token.")
MISSING: Refusal = (NOT_FOUND, "not_found", "Thread not found")
CROWDED: Refusal = (TOO_MANY, "too_many_sockets", "You have too many sockets open. Close some, then try again.")


@dataclass(frozen=True)
class Admitted:
    """Somebody who may see the thread, as they were when they were looked up."""

    user: User
    scopes: tuple[str, ...]


async def admit(credential: Credential, thread_id: int) -> Admitted | Refusal:
    """Looks the credential and the thread up; where there is no credential, there is nothing to look up."""
    if not credential:
        return STRANGER
    return await in_database(_admit, credential, thread_id)


def _admit(credential: Credential, thread_id: int) -> Admitted | Refusal:
    return _admit_all({(credential, thread_id)})[credential, thread_id]


def _admit_all(watchers: Collection[Watcher]) -> dict[Watcher, Admitted | Refusal]:
    """Looks each credential up once, and all threads that come with it in one query."""
    threads: dict[Credential, set[int]] = {}
    for credential, thread_id in watchers:
        threads.setdefault(credential, set()).add(thread_id)
    found: dict[Watcher, Admitted | Refusal] = {}
    for credential, thread_ids in threads.items():
        known = credential.identify()
        seen = _visible(known, thread_ids)
        for thread_id in thread_ids:
            welcome = Admitted(*known) if known and thread_id in seen else None
            found[credential, thread_id] = welcome or (MISSING if known else STRANGER)
    return found


def _visible(known: tuple[User, tuple[str, ...]] | None, thread_ids: set[int]) -> set[int]:
    if known is None or "threads:read" not in known[1]:
        return set()
    return set(Thread.objects.for_user(known[0]).filter(pk__in=thread_ids).values_list("pk", flat=True))


class Rounds:
    """Asks again and again, of all who watch at once, whether they still may."""

    def __init__(self) -> None:
        self._watchers: dict[asyncio.Future[Refusal], Watcher] = {}
        self._walk: asyncio.Task[None] | None = None

    async def until_refused(self, watcher: Watcher) -> Refusal:
        refused: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()
        self._watchers[refused] = watcher
        if self._walk is None or self._walk.done():
            self._walk = asyncio.create_task(self._go_round())
        try:
            return await refused
        finally:
            del self._watchers[refused]

    async def _go_round(self) -> None:
        while self._watchers:
            await asyncio.sleep(RECHECK_SECONDS)
            asked = dict(self._watchers)
            try:
                found = await in_database(_admit_all, set(asked.values()))
            except Exception:  # whatever it is: a round that ends would let everybody stay for ever
                log.warning("Whether %d watchers still may could not be read; trying again", len(asked), exc_info=True)
                continue
            for refused, watcher in asked.items():
                answer = found[watcher]
                if not isinstance(answer, Admitted) and not refused.done():
                    refused.set_result(answer)


@cache
def _rounds_of(loop: asyncio.AbstractEventLoop) -> Rounds:
    return Rounds()


async def until_refused(credential: Credential, thread_id: int) -> Refusal:
    """Returns when somebody who was admitted would not be any more: within seconds of it."""
    return await _rounds_of(asyncio.get_running_loop()).until_refused((credential, thread_id))


class Seats:
    """How many sockets each person has open in this process, their programs counted apart."""

    def __init__(self) -> None:
        self._taken: Counter[tuple[int, bool]] = Counter()

    def take(self, user: User, *, by_token: bool) -> Callable[[], None] | None:
        """Gives what frees the seat again; None when all are taken."""
        whose = (user.pk, by_token)
        if self._taken[whose] >= (SOCKETS_OF_A_PROGRAM if by_token else SOCKETS_OF_A_PERSON):
            return None
        self._taken[whose] += 1
        return lambda: self._free(whose)

    def _free(self, whose: tuple[int, bool]) -> None:
        self._taken[whose] -= 1
        if not self._taken[whose]:
            del self._taken[whose]


seats = Seats()
