"""The socket of a thread's page. It only watches: everything that a person does goes through plain requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from common.database import in_database
from threads.changes import Changes
from threads.hub import LiveMessage
from threads.page_feed import NOWHERE, Place, Update, around_in_zone, log_in_zone, tail_frame
from threads.sockets import ThreadSocket

T = TypeVar("T")


class PageSocket(ThreadSocket):
    """Sends the page what it lacks.

    The page says first what it has:
    ``{"op": "sub", "e": epoch, "v": version, "leaf": row, "have": {message: blocks}}``.
    """

    async def begin(self) -> None:
        self._place: Place | None = None
        self._changes: deque[Changes] = deque()
        self._lengths: dict[int, int] = {}
        self._news = asyncio.Event()

    def show(self, changes: Changes) -> None:
        self._changes.append(changes)
        self._news.set()

    def grow(self, live: LiveMessage) -> None:
        self._news.set()

    async def handle(self, frame: dict[str, Any]) -> None:
        match frame.get("op"):
            case "sub" if self._place is None:
                await self._subscribe(frame)
            case "sync" if self._place is not None:
                message_id = _whole(frame.get("m"))
                self._place.blocks[message_id] = _whole(frame.get("have"))
                self._lengths.pop(message_id, None)
                self._news.set()
            case "ping":
                self.put_json(t="pong")

    async def _subscribe(self, frame: dict[str, Any]) -> None:
        have = frame.get("have")
        blocks = {_whole(message): _whole(count) for message, count in have.items()} if isinstance(have, dict) else {}
        version = _whole(frame.get("v"))
        via = None if frame.get("via") is None else _whole(frame["via"])
        self._place = Place(version, _whole(frame.get("leaf")) or None, blocks, via)
        changes = await self.catch_up(version)
        if changes is None:
            return
        if changes.knows_not(version, str(frame.get("e") or "")):
            self._place = NOWHERE
            self.put_json(t="epoch", e=changes.thread.epoch)
        self._changes.append(changes)
        self.caught_up()
        self.go_on(self._follow())
        self._news.set()

    async def _follow(self) -> None:
        """Rows first, then text: an article is there before text comes to it."""
        is_ready = False
        while True:
            await self._news.wait()
            self._news.clear()
            while self._changes:
                await self._show_rows(self._changes.popleft())
            self._show_text()
            if not is_ready and self._place is not None:
                is_ready = True
                self.put_json(t="ready", v=self._place.version)

    async def _show_rows(self, changes: Changes) -> None:
        """The log first, then the text in it, then what stands around: who waits for an answer looks at the log."""
        assert self._place is not None, "a page subscribes before it is told anything"
        place, zone = self._place, self.user.timezone
        at = (zone, place.version, place.leaf_id, place.via, tuple(sorted(place.blocks.items())))
        update: Update = await _once(changes, ("log", *at), log_in_zone, changes, place, zone)
        for frame in update.frames:
            self.put(frame)
        self._place = replace(update.place, blocks=dict(update.place.blocks))
        if update.is_more:
            self._show_text()
            for frame in await _once(changes, ("around", *at), around_in_zone, changes.thread, update, zone):
                self.put(frame)

    def _show_text(self) -> None:
        """Brings every message being written that the page shows to where its text is, if the page keeps up."""
        if self.skips_text():
            return
        assert self._place is not None, "a page subscribes before it is told anything"
        assert self._room is not None, "and it watches a room by then"
        for message_id, had in self._place.blocks.items():
            live = self._room.live.get(message_id)
            if live is None or self._lengths.get(message_id, -1) >= len(live.text):
                continue
            frame, now_has = tail_frame(live, had)
            self.put(frame)
            self._place.blocks[message_id] = now_has
            self._lengths[message_id] = len(live.text)


async def _once(changes: Changes, key: tuple[Any, ...], make: Callable[..., T], *args: Any) -> T:
    """Pages at the same place share what is made of the same changes: the first one begins it, all of them await it."""
    making: asyncio.Task[T] | None = changes.memo.get(key)
    if making is None:
        making = changes.memo[key] = asyncio.create_task(in_database(make, *args))
    return await asyncio.shield(making)


def _whole(value: Any) -> int:
    """A whole number from a client's frame; anything else is 0."""
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return max(0, int(value))
    return 0
