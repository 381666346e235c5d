"""The texts that models are writing in this worker: gathered into frames, and made durable once a second.

One clock serves all of them: their frames leave together, and their checkpoints share a transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec
from django.conf import settings
from django.db import Error as DatabaseProblem
from django.utils import timezone

from common.database import DatabaseThreads
from runs.checkpoints import Checkpoint, checkpoint
from runs.models import Run
from threads.models import ThreadMessage

log = logging.getLogger(__name__)


class Sender(Protocol):
    """What is needed of the bus."""

    def send(self, thread_id: int, payload: bytes) -> None: ...


class LiveText:
    """One answer being written. ``durable`` is how many code points of ``text`` are on the message's row.

    ``on_lease_lost`` is called when a checkpoint finds that somebody else has settled the message.
    """

    def __init__(self, run: Run, message: ThreadMessage, on_lease_lost: Callable[[], None]) -> None:
        self.run = run
        self.message = message
        self.text = ""
        self.reasoning = ""
        self.durable = 0
        self.durable_reasoning = 0
        self.first_token_at: datetime | None = None
        self.on_lease_lost = on_lease_lost

    @property
    def is_durable(self) -> bool:
        return self.durable == len(self.text) and self.durable_reasoning == len(self.reasoning)

    def checkpoint(self) -> Checkpoint:
        first_token_at = None if self.run.first_token_at else self.first_token_at
        return Checkpoint(self.message.pk, self.run.pk, self.text, self.reasoning, first_token_at)

    def frame(self) -> bytes:
        """What comes after the last checkpoint, and where it begins."""
        tail = {"m": self.message.pk, "r": self.run.pk, "o": self.durable, "x": self.text[self.durable :]}
        return msgspec.json.encode(tail)


class LiveTexts:
    """All of a worker's, in its event loop."""

    def __init__(self, sender: Sender, database: DatabaseThreads) -> None:
        self._sender = sender
        self._database = database
        self._open: set[LiveText] = set()
        self._grown: set[LiveText] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._saving = asyncio.Lock()
        self._clock = asyncio.create_task(self._save_again_and_again())

    def begin(self, live: LiveText) -> None:
        """Its row is there. Pages hear of it now, with nothing in it, and read the row while the model is asked."""
        self._open.add(live)
        self._sender.send(live.run.thread_id, live.frame())

    def add(self, live: LiveText, text: str) -> None:
        """The first text goes out at once; what follows gathers for FLUSH_MS."""
        live.text += text
        if live.first_token_at is None:
            live.first_token_at = timezone.now()
            self._sender.send(live.run.thread_id, live.frame())
        else:
            self._will_send(live)

    def end(self, live: LiveText) -> None:
        """No frame or checkpoint of it follows; the settled row does."""
        self._open.discard(live)
        self._grown.discard(live)

    async def save(self, lives: list[LiveText]) -> None:
        """Makes the texts so far durable, in one transaction. Raises what the database raises."""
        async with self._saving:
            texts = [live.checkpoint() for live in lives]
            kept, begun = await self._database(checkpoint, texts)
        for live, text in zip(lives, texts, strict=True):
            if text.message_id in kept:
                live.durable, live.durable_reasoning = len(text.content), len(text.reasoning)
                if text.run_id in begun:
                    live.run.first_token_at = text.first_token_at
                if live in self._open:
                    # Whoever missed a frame finds out here, also when the model pauses.
                    self._will_send(live)
            elif live in self._open:
                self.end(live)
                live.on_lease_lost()

    async def next_frames(self) -> None:
        """Waits until frames are about to leave: text that is added then goes with them. Who reads a model's stream so,
        and not token by token, wakes once for all that came meanwhile."""
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        self._set_timer()
        await waiting

    def _will_send(self, live: LiveText) -> None:
        self._grown.add(live)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(settings.FLUSH_MS / 1000, self._wake)

    def _wake(self) -> None:
        self._timer = None
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()
        self._loop.call_soon(self._send)  # after those who woke have added what they have

    def _send(self) -> None:
        for live in self._grown:
            self._sender.send(live.run.thread_id, live.frame())
        self._grown.clear()

    async def _save_again_and_again(self) -> None:
        """Text is never on the bus alone for longer than CHECKPOINT_SECONDS, whether the model goes on or pauses."""
        while True:
            await asyncio.sleep(settings.CHECKPOINT_SECONDS)
            unsaved = [live for live in self._open if not live.is_durable]
            if not unsaved:
                continue
            try:
                await self.save(unsaved)
            except DatabaseProblem:
                log.warning("A checkpoint of %d answers failed; the next one tries again", len(unsaved), exc_info=True)
