"""A worker's sender: sends what is due, some at once, each as soon as there is room."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from common.database import DatabaseThreads
from runs.deliveries import Verdict, claim, settle
from runs.models import Delivery
from runs.sending import ready

log = logging.getLogger(__name__)

MOST_AT_ONCE = 20


class Sender:
    """Lives in a worker's event loop, with threads of its own: a slow server holds up no run."""

    def __init__(self) -> None:
        self.draining = False
        self._database = DatabaseThreads(2, "deliveries")
        self._sending: dict[asyncio.Task[None], int] = {}
        self._looking: asyncio.Task[None] | None = None
        self._again = False

    def look(self) -> None:
        """Something may be due. Does not wait."""
        if self.draining:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        else:
            self._again = True  # what was written since is seen by another look

    async def _look(self) -> None:
        try:
            self._again = True
            while self._again and not self.draining and (room := MOST_AT_ONCE - len(self._sending)) > 0:
                self._again = False
                for delivery in await self._database(claim, room, Counter(self._sending.values())):
                    task = asyncio.create_task(self._send(delivery))
                    self._sending[task] = delivery.owner_id
                    task.add_done_callback(self._ended)
        except Exception:  # whatever it is: the next look comes in seconds
            log.warning("Looking for deliveries failed; trying again", exc_info=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self.look()

    async def _send(self, delivery: Delivery) -> None:
        try:
            attempt = await self._database(ready, delivery)
            verdict = attempt if isinstance(attempt, Verdict) else await attempt()
        except Exception as error:  # a fault of ours must not be tried for ever, nor unseen
            log.exception("Delivery %s could not be sent", delivery.pk)
            verdict = Verdict(error=f"A fault in Zerg ({type(error).__name__}). The logs say more.")
        await self._database(settle, delivery, verdict)

    async def drain(self, grace: float) -> None:
        """Takes nothing new, and gives what is under way ``grace`` seconds. What is cut off is sent again elsewhere."""
        self.draining = True
        if self._sending:
            await asyncio.wait(list(self._sending), timeout=grace)
