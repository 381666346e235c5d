"""What every socket on a thread does: let the right person in, watch the thread, and keep up or be closed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.models import User
from accounts.sockets import Credential, WrongOrigin, credential_of
from common.errors import ZergError
from threads.hub import Changes, LiveMessage, Room, hub, read_changes_async
from threads.models import Thread

NOT_SIGNED_IN, NOT_FOUND, TOO_SLOW, TOO_MANY_FRAMES = 4401, 4404, 4408, 4429
TOO_BIG = 1009
FRAME_BYTES = 64 * 1024
FRAMES_PER_SECOND = 20
OUTBOX_BYTES = 4 * 1024 * 1024
RECHECK_SECONDS = 4.0


class ThreadSocket(AsyncWebsocketConsumer):
    """A socket on one thread. Subclasses say what is sent when rows change and when text grows."""

    thread_id: int
    user: User
    scopes: tuple[str, ...]

    async def connect(self) -> None:
        self._credential: Credential | None = None
        self._room: Room | None = None
        self._outbox: deque[str] = deque()
        self._outbox_bytes = 0
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._arrivals: deque[float] = deque(maxlen=FRAMES_PER_SECOND)
        self._pending: list[Changes] | None = []
        self.thread_id = int(self.scope["url_route"]["kwargs"]["thread_id"])
        try:
            self._credential, subprotocol = credential_of(self.scope)
        except WrongOrigin:
            await self.close()  # before it is accepted: the browser sees a refused handshake
            return
        await self.accept(subprotocol)
        refusal = await self._admit()
        if refusal:
            await self.refuse(*refusal)
            return
        await self._watch()

    async def _admit(self) -> tuple[int, str, str] | None:
        """None when the person may see the thread now; else close code, error code and sentence."""
        assert self._credential is not None
        found = await database_sync_to_async(_look_up, thread_sensitive=False)(self._credential, self.thread_id)
        if isinstance(found, tuple):
            self.user, self.scopes = found
            return None
        if found == NOT_FOUND:
            return NOT_FOUND, "not_found", "Thread not found"
        return NOT_SIGNED_IN, "not_signed_in", "Sign in, or send a valid API token."

    async def _watch(self) -> None:
        # First the hub, then the rows: what happens in between is told by the hub and dropped if the rows had it.
        self._tasks = [asyncio.create_task(self._drain()), asyncio.create_task(self._recheck())]
        self._room = await hub().join(self.thread_id, self)
        await self.begin()

    async def begin(self) -> None:
        """Sends where things stand; called once."""
        raise TypeError("a socket says how it begins")

    async def catch_up(self, after: int, limit: int | None = None) -> Changes | None:
        """Reads the rows newer than ``after``; afterwards the hub's news go straight to ``show``."""
        changes: Changes | None = await read_changes_async(self.thread_id, after, limit)
        if changes is None:
            self.thread_gone()
            return None
        if self._room is not None:
            self._room.begin(changes)
        return changes

    def hold(self) -> None:
        """From now on until ``caught_up`` the hub's news wait: rows are about to be read once more."""
        self._pending = self._pending or []

    def caught_up(self) -> None:
        """What the hub told while the rows were read is shown now, in order."""
        pending, self._pending = self._pending or [], None
        for changes in pending:
            self.show(changes)
        if self._room is not None:
            for live in self._room.live.values():
                self.grow(live)

    # What the hub calls. Plain calls in the loop: they queue and return.

    def rows_changed(self, changes: Changes) -> None:
        if self._pending is not None:
            self._pending.append(changes)
        else:
            self.show(changes)

    def text_grew(self, live: LiveMessage) -> None:
        if self._pending is None:
            self.grow(live)

    def thread_gone(self) -> None:
        self._tasks.append(asyncio.create_task(self.refuse(NOT_FOUND, "not_found", "Thread not found")))

    def show(self, changes: Changes) -> None:
        raise TypeError("a socket says how it shows rows")

    def grow(self, live: LiveMessage) -> None:
        raise TypeError("a socket says how it shows text")

    # Sending

    def put(self, frame: str) -> None:
        """Queues one encoded frame. A client that lags too far is closed: it comes back and catches up exactly."""
        self._outbox.append(frame)
        self._outbox_bytes += len(frame)
        self._wake.set()
        if self._outbox_bytes > OUTBOX_BYTES and len(self._outbox) > 1:  # one frame, however long, is no lag
            self._outbox.clear()
            self._outbox_bytes = 0
            self._tasks.append(asyncio.create_task(self.close(TOO_SLOW)))

    def put_json(self, **frame: Any) -> None:
        self.put(json.dumps(frame, ensure_ascii=False))

    async def _drain(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox:
                frame = self._outbox.popleft()
                self._outbox_bytes -= len(frame)
                await self.send(text_data=frame)

    async def _recheck(self) -> None:
        """A socket has the rights its person has now: signing out, revoking, deleting end it within seconds."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            refusal = await self._admit()
            if refusal:
                await self.refuse(*refusal)
                return

    async def refuse(self, close_code: int, code: str, sentence: str) -> None:
        with contextlib.suppress(RuntimeError):  # the other side may have gone already
            await self.send(text_data=json.dumps({"type": "error", "code": code, "error": sentence}))
            await self.close(close_code)

    # Receiving

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        size = len(bytes_data) if bytes_data is not None else len((text_data or "").encode())
        if size > FRAME_BYTES:
            await self.close(TOO_BIG)
            return
        now = time.monotonic()
        if len(self._arrivals) == FRAMES_PER_SECOND and now - self._arrivals[0] < 1:
            await self.close(TOO_MANY_FRAMES)
            return
        self._arrivals.append(now)
        try:
            frame = json.loads(text_data if text_data is not None else bytes_data or b"")
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            self.put_json(type="error", code="invalid_json", error="Send one JSON object per frame.")
            return
        try:
            await self.handle(frame)
        except ZergError as error:
            self.put_json(type="error", code=error.code, error=error.message)

    async def handle(self, frame: dict[str, Any]) -> None:
        raise TypeError("a socket says what it understands")

    async def disconnect(self, code: int) -> None:
        if self._room is not None:
            await hub().leave(self.thread_id, self)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()


def _look_up(credential: Credential, thread_id: int) -> tuple[User, tuple[str, ...]] | int:
    found = credential.identify()
    if found is None:
        return NOT_SIGNED_IN
    user, scopes = found
    if "threads:read" not in scopes or not Thread.objects.for_user(user).filter(pk=thread_id).exists():
        return NOT_FOUND
    return user, scopes
