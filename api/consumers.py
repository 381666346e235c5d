"""The API's socket on a thread: history, then everything that happens in it; messages and stops from the client."""

from __future__ import annotations

from typing import Any

from channels.db import database_sync_to_async

from accounts.models import User
from api.feed import HISTORY, Feed
from common.errors import ZergError
from runs import services
from runs.models import Run
from threads.changes import Changes
from threads.hub import LiveMessage
from threads.models import Thread
from threads.sockets import ThreadSocket


class ApiSocket(ThreadSocket):
    """Speaks the frames of docs/api.md."""

    async def begin(self) -> None:
        self._feed = Feed(lambda frame: self.put(frame.text))
        changes = await self.catch_up(-1, HISTORY)
        if changes is not None:
            self._feed.history(changes)
            self.caught_up()

    def show(self, changes: Changes) -> None:
        self._feed.show(changes)

    def grow(self, live: LiveMessage) -> None:
        self._feed.grow(live)

    async def handle(self, frame: dict[str, Any]) -> None:
        match frame.get("type"):
            case "message":
                await self._message(frame)
            case "cancel":
                await self._cancel(frame)
            case "resume":
                await self._resume(frame)
            case "ping":
                self.put_json(type="pong", timestamp=frame.get("timestamp"))
            case unknown:
                raise ZergError("unknown_type", f"There is no frame of type {str(unknown)[:40]!r}: {KNOWN}.")

    async def _message(self, frame: dict[str, Any]) -> None:
        self._require("threads:write")
        content, key = frame.get("content"), frame.get("client_message_id")
        if not isinstance(content, str):
            raise ZergError("bad_frame", "A message needs its content as a string.")
        if key is not None and not (isinstance(key, str) and 0 < len(key) <= 128):
            raise ZergError("bad_frame", "client_message_id is a string of 1 to 128 characters.")
        run = await _in_thread(_send, self.user, self.thread_id, content, key)
        self.put_json(
            type="message_received",
            message_id=run.input_message_id,
            thread_id=self.thread_id,
            client_message_id=key,
            run_id=run.pk,
        )

    async def _cancel(self, frame: dict[str, Any]) -> None:
        self._require("runs:write")
        await _in_thread(_cancel, self.user, self.thread_id, _integer(frame, "run_id"))

    async def _resume(self, frame: dict[str, Any]) -> None:
        after = _integer(frame, "version")
        self.hold()
        changes = await self.catch_up(after)
        if changes is not None:
            # The client counts from its version. What it holds of unfinished messages is what this socket has sent.
            self._feed.version = after
            self._feed.show(changes)
            self.caught_up()

    def _require(self, scope: str) -> None:
        if scope not in self.scopes:
            raise ZergError("forbidden", f"This token lacks the scope {scope}.")


KNOWN = "message, cancel, resume and ping are known"


def _send(user: User, thread_id: int, content: str, key: str | None) -> Run:
    thread = Thread.objects.get_for(user, thread_id)
    return services.start_run(thread, text=content, author=user, trigger=Run.Trigger.API, key=key)


def _cancel(user: User, thread_id: int, run_id: int) -> None:
    run = Run.objects.get_for(user, run_id)
    if run.thread_id != thread_id:
        raise ZergError("not_found", "Run not found")
    services.cancel(run)


def _integer(frame: dict[str, Any], name: str) -> int:
    value = frame.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ZergError("bad_frame", f"{name} is a whole number.")
    return value


async def _in_thread(function: Any, *args: Any) -> Any:
    """Runs a sync function with the ORM beside the loop."""
    return await database_sync_to_async(function, thread_sensitive=False)(*args)
