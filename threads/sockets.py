"""What every socket on a thread does: let the right person in, watch the thread, and keep up or be closed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Coroutine
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.models import User
from accounts.sockets import Credential, WrongOrigin, credential_of
from common.errors import ZergError
from threads.admission import CROWDED, MISSING, TOO_SLOW, Admitted, Refusal, admit, seats, until_refused
from threads.changes import Changes, read_changes_async
from threads.hub import LiveMessage, Room, hub
from threads.outbox import Outbox

log = logging.getLogger(__name__)

TOO_BIG = 1009
FAILED = 4500
FRAME_BYTES = 64 * 1024
FRAMES_PER_SECOND = 20  # the server that Zerg comes with holds clients to it: zerg_site/server.py
LAST_WORD_SECONDS = 1.0
MOST_PENDING = 200


class ThreadSocket(AsyncWebsocketConsumer):
    """A socket on one thread. Subclasses say what is sent when rows change and when text grows."""

    thread_id = 0
    user: User
    scopes: tuple[str, ...]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._room: Room | None = None
        self._outbox: Outbox[str] = Outbox()
        self._has_skipped = False
        self._is_over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending: list[Changes] | None = []

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        with contextlib.ExitStack() as self._at_the_end:
            try:
                await super().__call__(*args, **kwargs)
            finally:
                await self._leave()

    async def connect(self) -> None:
        self.thread_id = int(self.scope["url_route"]["kwargs"]["thread_id"])
        try:
            credential, subprotocol = credential_of(self.scope)
        except WrongOrigin:
            await self.close()  # before it is accepted: the browser sees a refused handshake
            return
        found = self._seated(await admit(credential, self.thread_id), by_token=bool(credential.token))
        await self.accept(subprotocol)
        if not isinstance(found, Admitted):
            await self.refuse(found)
            return
        self.user, self.scopes = found.user, found.scopes
        await self._watch(credential)

    def _seated(self, found: Admitted | Refusal, *, by_token: bool) -> Admitted | Refusal:
        if not isinstance(found, Admitted):
            return found
        free = seats.take(found.user, by_token=by_token)
        if free is None:
            return CROWDED
        self._at_the_end.callback(free)
        return found

    async def _watch(self, credential: Credential) -> None:
        # First the hub, then the rows: what happens in between is told by the hub and dropped if the rows had it.
        self.go_on(self._drain())
        self.go_on(self._recheck(credential))
        self._room = hub().join(self.thread_id, self)
        await self.begin()

    def go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Does a part of this socket's work beside the others, until the socket is closed."""
        task = asyncio.create_task(self._do_or_close(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do_or_close(self, work: Coroutine[Any, Any, None]) -> None:
        """A socket of which a part has failed must not look alive: its client comes back, and catches up exactly."""
        try:
            await work
        except Exception:
            log.warning("A socket on thread %s is closed: a part of it failed", self.thread_id, exc_info=True)
            with contextlib.suppress(RuntimeError):  # the other side may have gone already
                await self.close(FAILED)

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
        if self._outbox.is_too_far_behind:
            self.let_go()
        elif self._pending is None:
            self.show(changes)
        elif len(self._pending) < MOST_PENDING:
            self._pending.append(changes)
        else:  # a page that does not say what it has
            self.let_go()

    def text_grew(self, live: LiveMessage) -> None:
        if self._pending is None and not self.skips_text():
            self.grow(live)

    def thread_gone(self) -> None:
        self.go_on(self.refuse(MISSING))

    def history_changed(self) -> None:
        self.let_go()

    def show(self, changes: Changes) -> None:
        raise TypeError("a socket says how it shows rows")

    def grow(self, live: LiveMessage) -> None:
        raise TypeError("a socket says how it shows text")

    # Sending

    def put(self, frame: str) -> None:
        """Queues one encoded frame."""
        if not self._is_over:
            self._outbox.put(frame, len(frame))

    def put_json(self, **frame: Any) -> None:
        self.put(json.dumps(frame, ensure_ascii=False))

    def skips_text(self) -> bool:
        """Text does not gather for a client that lags: ``grow`` is called for all of it when it has read the rest."""
        self._has_skipped = self._has_skipped or self._outbox.is_behind
        return self._outbox.is_behind

    def let_go(self) -> None:
        """Of a client that lags too far: it comes back and catches up exactly."""
        if not self._is_over:
            self._is_over = True
            self._outbox.clear()
            self.go_on(self.close(TOO_SLOW))

    async def _drain(self) -> None:
        while True:
            frame = await self._outbox.take()
            await self.send(text_data=frame)  # waits while the client does not read
            if self._has_skipped and not self._outbox and self._room is not None:
                self._has_skipped = False
                for live in self._room.live.values():
                    self.grow(live)

    async def _recheck(self, credential: Credential) -> None:
        """A socket has the rights its person has now: signing out, revoking, deleting end it within seconds."""
        await self.refuse(await until_refused(credential, self.thread_id))

    async def refuse(self, refusal: Refusal) -> None:
        """Says why, and closes. Nothing else is sent any more."""
        close_code, code, sentence = refusal
        self._is_over = True
        self._outbox.clear()
        frame = json.dumps({"type": "error", "code": code, "error": sentence})
        with contextlib.suppress(RuntimeError):  # the other side may have gone already
            with contextlib.suppress(TimeoutError):  # or not read
                await asyncio.wait_for(self.send(text_data=frame), LAST_WORD_SECONDS)
            await self.close(close_code)

    # Receiving

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        size = len(bytes_data) if bytes_data is not None else len((text_data or "").encode())
        if size > FRAME_BYTES:
            await self.close(TOO_BIG)
            return
        if self._outbox.is_too_far_behind:  # who does not read need not ask for more
            self.let_go()
            return
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

    async def _leave(self) -> None:
        self._is_over = True
        for task in list(self._tasks):
            task.cancel()
        hub().leave(self.thread_id, self)
