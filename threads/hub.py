"""The hub of a web process: fans what happens in a thread out to everybody here who watches it.

Rows are read once, however many watch, and the text of a message being written is kept once. A watcher is told with
plain calls in the event loop; it must not block and keeps its own, bounded outbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import msgspec
from django.db import Error as DatabaseProblem

from common.bus import ROWS_CHANGED, Subscriber
from common.database import in_database
from threads.changes import Changes, read_changes_async
from threads.models import Thread, ThreadMessage

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RECONCILE_SECONDS = 5.0
GATHER_SECONDS = 0.08


@dataclass
class LiveMessage:
    """A message being written: its text so far, in code points. It only ever grows."""

    message_id: int
    run_id: int
    text: str = ""
    memo: dict[Any, Any] = field(default_factory=dict)
    """What watchers share until the text grows again: frames encoded once, HTML rendered once."""
    view: Any = None
    rendered: int = 0
    """The pages' renderer, and how many code points it was fed."""

    def extend(self, offset: int, tail: str) -> bool:
        """Takes text that begins at ``offset``. False when there is a hole before it."""
        if offset > len(self.text):
            return False
        if offset + len(tail) > len(self.text):
            self.text = self.text[:offset] + tail
            self.memo.clear()
        return True


class Frame(msgspec.Struct):
    """From the bus: of the message ``m``, the text ``x`` that begins at the code point ``o``."""

    m: int
    o: int
    x: str


_frames = msgspec.json.Decoder(Frame)


class Watcher(Protocol):
    """Somebody's open socket or stream on a thread."""

    def rows_changed(self, changes: Changes) -> None: ...

    def text_grew(self, live: LiveMessage) -> None: ...

    def thread_gone(self) -> None: ...

    def history_changed(self) -> None:
        """What it has may never have happened: it must come back and begin anew."""


class Room:
    """The watchers of one thread in this process."""

    def __init__(self, thread_id: int) -> None:
        self.thread_id = thread_id
        self.version = -1
        self.epoch = ""
        self.watchers: set[Watcher] = set()
        self.live: dict[int, LiveMessage] = {}
        self._early: dict[int, Frame] = {}
        self._again = False
        self._at_once = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    def begin(self, changes: Changes) -> None:
        """A watcher has read the rows. After the first, the room goes on from there, not from the beginning."""
        if self.version < 0:
            self.version, self.epoch = changes.version, changes.thread.epoch
            self._keep_live(changes)
            if self._again:
                self.rows_may_have_changed()
        else:
            # Text that was heard of and is not durable yet: a newcomer gets what the others have.
            for message in changes.messages:
                if message.status == ThreadMessage.Status.STREAMING and (live := self.live.get(message.pk)):
                    live.extend(0, message.content)
                    message.content = live.text

    def rows_may_have_changed(self, *, at_once: bool = False) -> None:
        """Reads the rows, soon and once: a doorbell that rings while they are read makes them be read again.

        A run's beginning rings three times within milliseconds: one reading does for all, as soon as text comes.
        """
        self._again = True
        if at_once:
            self._at_once.set()
        if self.version >= 0 and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while self._again and self.watchers:
            await self._gather()
            try:
                changes = await read_changes_async(self.thread_id, self.version)
            except DatabaseProblem:
                log.warning("Thread %s could not be read; trying again", self.thread_id, exc_info=True)
                await asyncio.sleep(POLL_SECONDS)
                self._again = True
                continue
            if changes is None:
                for watcher in list(self.watchers):
                    watcher.thread_gone()
                return
            self.take(changes)
        self._early.clear()  # a reading that began after they came has passed: they are of answers that are over

    async def _gather(self) -> None:
        """Lets some time pass for what happens next, unless somebody waits: who changed the rows is still at work."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._at_once.wait(), GATHER_SECONDS)
        self._again = False
        self._at_once.clear()

    def take(self, changes: Changes) -> None:
        """Hands rows to the watchers; what is being written is known from here on."""
        if changes.thread.epoch != self.epoch or changes.version < self.version:
            self._begin_anew(changes)
            return
        self.version = changes.version
        self._keep_live(changes)
        for watcher in list(self.watchers):
            watcher.rows_changed(changes)

    def _begin_anew(self, changes: Changes) -> None:
        """The database was put back to an earlier state: its versions count other changes from now on."""
        self.version, self.epoch = changes.version, changes.thread.epoch
        self.live.clear()
        self._early.clear()
        for watcher in list(self.watchers):
            watcher.history_changed()

    def _keep_live(self, changes: Changes) -> None:
        for message in changes.messages:
            if message.status == ThreadMessage.Status.STREAMING:
                live = self.live.setdefault(message.pk, LiveMessage(message.pk, message.run_id or 0))
                live.extend(0, message.content)
                if (early := self._early.pop(message.pk, None)) and not live.extend(early.o, early.x):
                    self.rows_may_have_changed(at_once=True)  # more became durable since they were read
                message.content = live.text
            else:
                self.live.pop(message.pk, None)

    def take_frame(self, payload: bytes) -> None:
        """A frame from the bus: the doorbell, or the tail of a message being written."""
        if payload == ROWS_CHANGED:
            self.rows_may_have_changed()
            return
        frame = _frames.decode(payload)
        live = self.live.get(frame.m)
        if live is None or not live.extend(frame.o, frame.x):
            # Its row, or the text before this tail, has not been read yet. Each answer begins like that: who is there
            # already as one that came early is being read, and one reading does for all that comes meanwhile.
            is_awaited = live is None and frame.m in self._early
            self._early[frame.m] = frame
            if not is_awaited:
                self.rows_may_have_changed(at_once=True)
            return
        for watcher in list(self.watchers):
            watcher.text_grew(live)


class Hub:
    """All rooms of one process and event loop, on one connection to the bus."""

    def __init__(self) -> None:
        self._rooms: dict[int, Room] = {}
        self._bus = Subscriber(self._on_message, self._on_restored)
        self._pollers = {asyncio.create_task(self._poll_while_down()), asyncio.create_task(self._reconcile())}

    def join(self, thread_id: int, watcher: Watcher) -> Room:
        """From now on the watcher is told. It reads the rows after this, and drops what is older than they are."""
        room = self._rooms.get(thread_id)
        if room is None:
            room = self._rooms[thread_id] = Room(thread_id)
        room.watchers.add(watcher)
        return room

    def leave(self, thread_id: int, watcher: Watcher) -> None:
        """The watcher is told no more; the last one out turns off the light."""
        room = self._rooms.get(thread_id)
        if room is None:
            return
        room.watchers.discard(watcher)
        if not room.watchers:
            del self._rooms[thread_id]

    def _on_message(self, thread_id: int, payload: bytes) -> None:
        if room := self._rooms.get(thread_id):
            room.take_frame(payload)

    def _on_restored(self) -> None:
        for room in self._rooms.values():
            room.rows_may_have_changed()

    async def _poll_while_down(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._bus.connected:
                self._on_restored()

    async def _reconcile(self) -> None:
        """Finds the rooms whose doorbell was lost on its way: one small query, however many they are."""
        while True:
            await asyncio.sleep(RECONCILE_SECONDS)
            try:
                places = await in_database(_places, list(self._rooms))
            except DatabaseProblem:
                log.warning("The threads' versions could not be read; trying again", exc_info=True)
                continue
            for thread_id, room in self._rooms.items():
                if room.version >= 0 and places.get(thread_id) != (room.version, room.epoch):
                    room.rows_may_have_changed()


def _places(thread_ids: list[int]) -> dict[int, tuple[int, str]]:
    rows = Thread.objects.filter(pk__in=thread_ids).values_list("pk", "version", "epoch")
    return {pk: (version, epoch) for pk, version, epoch in rows}


@cache
def _hub_of(loop: asyncio.AbstractEventLoop) -> Hub:
    return Hub()


def hub() -> Hub:
    """The hub of the running event loop."""
    return _hub_of(asyncio.get_running_loop())
