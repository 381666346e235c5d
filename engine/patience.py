"""Waiting for many things in a row, each no longer than allowed, with one timer for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Patience:
    """For the waits of one task, one at a time. ``asyncio.timeout`` sets a timer and drops it again for each wait: for
    a stream that brings a token every few milliseconds that is a tenth of its cost.

    Close it when nothing more is waited for.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._until = 0.0
        self._is_over = False

    async def wait(self, awaitable: Awaitable[T], seconds: float) -> T:
        """What ``awaitable`` gives. Raises TimeoutError, and cancels it, when that takes longer than ``seconds``."""
        task = asyncio.current_task()
        assert task is not None, "only a task can wait"
        cancels = task.cancelling()
        self._task, self._until = task, self._loop.time() + seconds
        # A timer that goes off too early sets itself anew; one that would go off too late is replaced.
        if self._timer is None or self._timer.when() > self._until:
            self._set()
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._is_over and task.uncancel() <= cancels:
                raise TimeoutError from None
            raise
        finally:
            self._task, self._is_over = None, False

    def close(self) -> None:
        """Drops the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._until, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nothing is waited for just now; the next wait sets it
        if self._loop.time() < self._until:
            self._set()
        else:
            self._is_over = True
            self._task.cancel()
