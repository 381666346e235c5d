"""A thread's frames over plain HTTP: the reply's text as it is written, or all frames as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from channels.db import database_sync_to_async

from accounts.models import User
from api.feed import HISTORY, Feed, Frame
from runs.models import UNFINISHED, Run
from threads.hub import Changes, LiveMessage, Room, hub, read_changes
from threads.models import Thread, ThreadMessage

HEARTBEAT_SECONDS = 15.0
LONGEST_BACKLOG = 50_000


class FrameQueue:
    """A watcher that gathers frames for one HTTP response."""

    def __init__(self, have: dict[int, int] | None = None) -> None:
        self.queue: asyncio.Queue[tuple[Frame, str] | None] = asyncio.Queue()
        self.feed = Feed(self._put, have)
        self._batch: list[tuple[Frame, str]] = []
        self._pending: list[Changes] | None = []
        self._room: Room | None = None

    async def begin(self, thread_id: int, after: int | None) -> Changes | None:
        """Joins the hub, then reads the rows: all of them as history, or those newer than ``after``. Gives the rows;
        None when the thread is gone."""
        self._room = await hub().join(thread_id, self)
        read = database_sync_to_async(read_changes, thread_sensitive=False)
        changes: Changes | None = await read(
            thread_id, -1 if after is None else after, HISTORY if after is None else None
        )
        if changes is None:
            self.thread_gone()
            return None
        self._room.begin(changes)
        if after is None:
            self.feed.history(changes)
        else:
            self.feed.version = after
            self.feed.show(changes)
        pending, self._pending = self._pending or [], None
        for later in pending:
            self.feed.show(later)
        for live in self._room.live.values():
            self.feed.grow(live)
        self._pass_on()
        return changes

    def _put(self, frame: Frame) -> None:
        """Each frame has the id of where a client is once it has it: a stream may be cut after any of them."""
        self._batch.append((frame, make_event_id(self.feed)))

    def _pass_on(self) -> None:
        """The last frame of a batch brings its client to the version of all of it."""
        if self._batch:
            self._batch[-1] = (self._batch[-1][0], make_event_id(self.feed))
        for item in self._batch:
            self.queue.put_nowait(item)
        self._batch.clear()

    def rows_changed(self, changes: Changes) -> None:
        if self._pending is not None:
            self._pending.append(changes)
        else:
            self.feed.show(changes)
            self._pass_on()
        self._stop_if_it_lags()

    def text_grew(self, live: LiveMessage) -> None:
        if self._pending is None:
            self.feed.grow(live)
            self._pass_on()
            self._stop_if_it_lags()

    def thread_gone(self) -> None:
        self.queue.put_nowait(None)

    def _stop_if_it_lags(self) -> None:
        """A reader that does not read is let go: it comes back with the last id it has."""
        if self.queue.qsize() > LONGEST_BACKLOG:
            self.thread_gone()


async def event_stream(thread: Thread, user: User, run: Run | None, last_event_id: str | None) -> AsyncIterator[bytes]:
    """The frames as server-sent events; ends with ``run``, or never when that is None.

    ``id`` says which version the client has and how far it has got in messages being written, so ``Last-Event-ID``
    resumes exactly.
    """
    after, have = parse_event_id(last_event_id)
    frames = FrameQueue(have)
    try:
        changes = await frames.begin(thread.pk, after)
        is_over = run is not None and _was_over(run, changes, after)
        while not (is_over and frames.queue.empty()):
            try:
                item = await asyncio.wait_for(frames.queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                if not await _still_visible(user, thread.pk):
                    return
                yield b": still here\n\n"
                continue
            if item is None:
                return
            frame, event_id = item
            yield _event(frame, event_id)
            if run is not None and _ends(frame, run.pk):
                return
    finally:
        await hub().leave(thread.pk, frames)


def _event(frame: Frame, event_id: str) -> bytes:
    return f"id: {event_id}\nevent: {frame.type}\ndata: {frame.text}\n\n".encode()


def make_event_id(feed: Feed) -> str:
    """``version`` and, for each message being written, ``message:code points``; nothing here is a secret."""
    return ".".join([str(feed.version), *(f"{message}:{had}" for message, had in feed.have.items())])


def parse_event_id(text: str | None) -> tuple[int | None, dict[int, int]]:
    """The reverse of ``make_event_id``; anything else means: from the beginning."""
    if not text:
        return None, {}
    version, *parts = text.split(".")
    try:
        pairs = [part.split(":") for part in parts]
        return int(version), {int(message): int(had) for message, had in pairs}
    except ValueError:
        return None, {}


def _was_over(run: Run, changes: Changes | None, after: int | None) -> bool:
    """Whether a run had ended before the stream began: then no later frame will tell its end. ``run`` was read before
    ``changes``, which as history leave out the runs that are over."""
    return run.is_finished or (after is None and changes is not None and run.pk not in {r.pk for r in changes.runs})


def _ends(frame: Frame, run_id: int) -> bool:
    run: dict[str, Any] = frame.data.get("run", {})
    return frame.type == "run" and run["id"] == run_id and run["status"] not in UNFINISHED


async def text_stream(run: Run, message: ThreadMessage) -> AsyncIterator[bytes]:
    """The text of the run's answer as it is written; of a run that has ended, the text that there is.

    ``message`` is the one being answered: whatever the run wrote came after it. A run that fails ends with the reason
    in square brackets.
    """
    frames = FrameQueue()
    answer = AnswerText(run.pk)
    try:
        await frames.begin(run.thread_id, message.version)
        while not answer.is_over:
            item = await frames.queue.get()
            if item is None:
                return
            if piece := answer.take(item[0]):
                yield piece.encode()
    finally:
        await hub().leave(run.thread_id, frames)


class AnswerText:
    """Picks the text of one run's answers out of the frames; several answers are parted by an empty line."""

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id
        self._begun: set[int] = set()
        self._has_text = False
        self.is_over = False

    def take(self, frame: Frame) -> str:
        """The text to send for a frame, often none."""
        data = frame.data
        if frame.type == "run" and data["run"]["id"] == self._run_id:
            return self._end(data["run"])
        if data.get("run_id") != self._run_id:
            return ""
        if frame.type in {"stream_start", "stream_chunk"}:
            return self._text(data["message_id"], data["content"])
        is_whole = frame.type == "message" and data["role"] == "assistant" and data["status"] != "streaming"
        if is_whole and data["id"] not in self._begun:
            return self._text(data["id"], data["content"])
        return ""

    def _text(self, message_id: int, content: str) -> str:
        if not content:
            return ""
        gap = "\n\n" if self._has_text and message_id not in self._begun else ""
        self._begun.add(message_id)
        self._has_text = True
        return gap + content

    def _end(self, run: dict[str, Any]) -> str:
        self.is_over = run["status"] not in UNFINISHED
        if run["status"] != "failed":
            return ""
        return (
            "\n\n" if self._has_text else ""
        ) + f"[{run['error']['message'] if run['error'] else 'The run failed.'}]\n"


async def _still_visible(user: User, thread_id: int) -> bool:
    def look() -> bool:
        fresh = User.objects.filter(pk=user.pk).first()
        return fresh is not None and Thread.objects.for_user(fresh).filter(pk=thread_id).exists()

    result: bool = await database_sync_to_async(look, thread_sensitive=False)()
    return result
