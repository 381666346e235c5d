"""What waits to be sent to one client."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")

BEHIND = 16 * 1024
TOO_FAR_BEHIND = 1024 * 1024


class Outbox(Generic[Item]):
    """Items in order, each with its size, in characters.

    A client that ``is_behind`` is not sent text as it grows: later it gets all that it lacks in one piece. A client
    that ``is_too_far_behind`` when more happens is better served by coming back and catching up. How much one event
    brings does not matter: a long thread's history is no lag.
    """

    def __init__(self) -> None:
        self._items: deque[tuple[Item, int]] = deque()
        self._size = 0
        self._came = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_behind(self) -> bool:
        return self._size > BEHIND

    @property
    def is_too_far_behind(self) -> bool:
        return self._size > TOO_FAR_BEHIND

    def put(self, item: Item, size: int) -> None:
        self._items.append((item, size))
        self._size += size
        self._came.set()

    async def take(self) -> Item:
        """The oldest item, as soon as there is one."""
        while not self._items:
            self._came.clear()
            await self._came.wait()
        item, size = self._items.popleft()
        self._size -= size
        return item

    def clear(self) -> None:
        self._items.clear()
        self._size = 0
