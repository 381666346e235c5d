"""A worker process's looker: it finds due times that wait for a look, and looks, many at a time, in the worker's loop.

The rows are the truth. A hint makes it look around at once; without one it does so every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from common.database import DatabaseThreads
from common.errors import ZergError
from common.fetch import fetch
from triggers.models import Schedule
from triggers.watching import claims
from triggers.watching.claims import Held
from triggers.watching.looks import Sight, conditions, sight_of

log = logging.getLogger(__name__)

AT_ONCE = 60
OF_ONE_OWNER = 20
"""So that somebody's many slow addresses do not hold up somebody else's one."""
SWEEP_SECONDS = 3.0


class Looker:
    """Lives in one event loop."""

    def __init__(self) -> None:
        self._database = DatabaseThreads(2, "looks")
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._owners: dict[int, int] = {}

    async def keep_looking(self) -> None:
        """Runs as long as the process."""
        while True:
            try:
                await self.look_around()
            except Exception:  # whatever it is (the database restarts): it must go on
                log.warning("Looking for what to look at failed; trying again", exc_info=True)
            await asyncio.sleep(SWEEP_SECONDS)

    async def look_around(self) -> None:
        """Takes up due times that wait, as many as there is room for. Does not wait for what they show."""
        room = AT_ONCE - len(self._under_way)
        if room <= 0:
            return
        busy = Counter(self._owners.values())
        found = await self._database(claims.waiting, room, owners_at_most=OF_ONE_OWNER, busy_owners=busy)
        for occurrence_id, owner_id in found:
            if occurrence_id not in self._under_way:
                self._owners[occurrence_id] = owner_id
                task = self._under_way[occurrence_id] = asyncio.create_task(self._look_safely(occurrence_id))
                task.add_done_callback(lambda _, pk=occurrence_id: self._forget(pk))  # type: ignore[misc]

    async def rest(self) -> None:
        """Returns when all that was taken up is settled."""
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    def _forget(self, occurrence_id: int) -> None:
        del self._under_way[occurrence_id], self._owners[occurrence_id]

    async def _look_safely(self, occurrence_id: int) -> None:
        try:
            await self.look(occurrence_id)
        except Exception:  # it is held for a while, and then looked for again; at the fourth time it is given up
            log.exception("The look for due time %s failed", occurrence_id)

    async def look(self, occurrence_id: int) -> None:
        """Looks for a due time, unless somebody else does, and settles it."""
        held = await self._database(claims.claim, occurrence_id)
        if held is None:
            return
        try:
            sight = await see(held)
        except ZergError as error:
            await self._database(claims.fail, held, error.message)
        else:
            await self._database(claims.settle, held, sight)


async def see(held: Held) -> Sight | None:
    """What is at the address now; None where there is none any more. Raises ZergError."""
    kind, url, path = held.watch
    if not kind:
        return None
    with_body = kind != Schedule.Watch.STATUS
    answer = await fetch(url, headers=conditions(kind, held.seen), with_body=with_body)
    # Reading two megabytes of somebody's page takes a while: not in the loop in which runs stream.
    return await asyncio.to_thread(sight_of, kind, path, answer, held.seen)
