"""The text that a model is writing: gathered into frames, and made durable once a second and at every pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from threads.models import ThreadMessage


class LiveText:
    """``durable`` is how many code points of ``text`` are on the message's row; frames carry what comes after them."""

    def __init__(
        self,
        message: ThreadMessage,
        *,
        on_frame: Callable[[LiveText], None],
        on_checkpoint: Callable[[LiveText], Awaitable[None]],
    ) -> None:
        self.message = message
        self.text = ""
        self.reasoning = ""
        self.durable = 0
        self.first_token_at: datetime | None = None
        self._on_frame = on_frame
        self._on_checkpoint = on_checkpoint
        self._loop = asyncio.get_running_loop()
        self._frame: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._checkpoint: asyncio.Task[None] | None = None
        self._saved_at = time.monotonic()
        self._closed = False

    def add(self, text: str) -> None:
        """The first text goes out at once; what follows gathers for FLUSH_MS."""
        self.text += text
        if self.first_token_at is None:
            self.first_token_at = timezone.now()
            self._on_frame(self)
        elif self._frame is None:
            self._frame = self._loop.call_later(settings.FLUSH_MS / 1000, self._send_frame)
        self._plan_checkpoint()

    def close(self) -> None:
        """No frame or checkpoint follows; the settled row does."""
        self._closed = True
        for timer in (self._frame, self._timer):
            if timer is not None:
                timer.cancel()

    def _send_frame(self) -> None:
        self._frame = None
        self._on_frame(self)

    def _plan_checkpoint(self) -> None:
        """Text is never on the bus alone for longer than CHECKPOINT_SECONDS, whether the model goes on or pauses."""
        if self._timer is None and self._checkpoint is None and not self._closed:
            wait = self._saved_at + settings.CHECKPOINT_SECONDS - time.monotonic()
            self._timer = self._loop.call_later(max(wait, 0.0), self._start_checkpoint)

    def _start_checkpoint(self) -> None:
        self._timer = None
        self._checkpoint = self._loop.create_task(self._save())

    async def _save(self) -> None:
        try:
            await self._on_checkpoint(self)
        finally:
            self._saved_at = time.monotonic()
            self._checkpoint = None
        if self.durable < len(self.text):
            self._plan_checkpoint()
