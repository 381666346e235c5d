"""A thread's frames over plain HTTP: the reply's text as it is written, or all frames as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from accounts.sockets import Credential
from api.feed import HISTORY, Feed, Frame
from runs.models import UNFINISHED, Run
from threads.admission import until_refused
from threads.changes import Changes, read_changes_async
from threads.hub import LiveMessage, Room, hub
from threads.models import Thread, ThreadMessage
from threads.outbox import Outbox

HEARTBEAT_SECONDS = 15.0
Sent = tuple[Frame, str]
"""A frame, and the id of where a client is once it has it."""


class FrameQueue:
    """A watcher that gathers frames for one HTTP response, for as long as ``credential`` may see the thread."""

    def __init__(self, thread_id: int, credential: Credential, have: dict[int, int] | None = None) -> None:
        self.feed = Feed(self._put, have)
        self._thread_id = thread_id
        self._credential = credential
        self._outbox: Outbox[Sent | None] = Outbox()
        self._is_over = False
        self._batch: list[Sent] = []
        self._pending: list[Changes] | None = []
        self._room: Room | None = None

    async def begin(self, after: int | None) -> Changes | None:
        """Joins the hub, then reads the rows: all of them as history, or those newer than ``after``. Gives the rows;
        None when the thread is gone."""
        self._rechecking = asyncio.create_task(self._recheck())
        self._room = hub().join(self._thread_id, self)
        changes: Changes | None = await read_changes_async(
            self._thread_id, -1 if after is None else after, HISTORY if after is None else None
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
        self._grow_all()
        return changes

    async def end(self) -> None:
        self._rechecking.cancel()
        hub().leave(self._thread_id, self)

    async def next(self) -> Sent | None:
        """The next frame, with its id; None when the stream is over. Asked for when the client has taken the last."""
        if not self._outbox and self._pending is None:
            self._grow_all()
        return await self._outbox.take()

    @property
    def is_empty(self) -> bool:
        return not self._outbox

    def _put(self, frame: Frame) -> None:
        """Each frame has the id of where a client is once it has it: a stream may be cut after any of them."""
        self._batch.append((frame, make_event_id(self.feed)))

    def _pass_on(self) -> None:
        """The last frame of a batch brings its client to the version of all of it."""
        if self._batch:
            self._batch[-1] = (self._batch[-1][0], make_event_id(self.feed))
        for item in self._batch:
            if not self._is_over:
                self._outbox.put(item, len(item[0].text))
        self._batch.clear()

    def _grow_all(self) -> None:
        for live in self._room.live.values() if self._room is not None else ():
            self.feed.grow(live)
        self._pass_on()

    # What the hub calls

    def rows_changed(self, changes: Changes) -> None:
        if self._outbox.is_too_far_behind:
            self._stop()  # a reader that does not read is let go: it comes back with the last id it has
        elif self._pending is not None:
            self._pending.append(changes)
        else:
            self.feed.show(changes)
            self._pass_on()

    def text_grew(self, live: LiveMessage) -> None:
        # For a client that lags text does not gather: ``next`` gives it all that is there when it has read the rest.
        if self._pending is None and not self._outbox.is_behind:
            self.feed.grow(live)
            self._pass_on()

    def thread_gone(self) -> None:
        self._stop()

    def history_changed(self) -> None:
        self._stop()

    def _stop(self) -> None:
        """Nothing more is sent, and what waits is not sent either."""
        self._is_over = True
        self._outbox.clear()
        self._outbox.put(None, 0)

    async def _recheck(self) -> None:
        await until_refused(self._credential, self._thread_id)
        self._stop()


async def event_stream(
    thread: Thread, credential: Credential, run: Run | None, last_event_id: str | None
) -> AsyncIterator[bytes]:
    """The frames as server-sent events; ends with ``run``, or never when that is None, or when the caller may not see
    the thread any more.

    ``id`` says which version the client has and how far it has got in messages being written, so ``Last-Event-ID``
    resumes exactly.
    """
    after, have = parse_event_id(last_event_id)
    frames = FrameQueue(thread.pk, credential, have)
    try:
        changes = await frames.begin(after)
        is_over = run is not None and _was_over(run, changes, after)
        while not (is_over and frames.is_empty):
            try:
                item = await asyncio.wait_for(frames.next(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if item is None:
                return
            frame, event_id = item
            yield _event(frame, event_id)
            if run is not None and _ends(frame, run.pk):
                return
    finally:
        await frames.end()


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


async def text_stream(run: Run, message: ThreadMessage, credential: Credential) -> AsyncIterator[bytes]:
    """The text of the run's answer as it is written; of a run that has ended, the text that there is.

    ``message`` is the one being answered: whatever the run wrote came after it. A run that fails ends with the reason
    in square brackets.
    """
    frames = FrameQueue(run.thread_id, credential)
    answer = AnswerText(run.pk)
    try:
        await frames.begin(message.version)
        while not answer.is_over:
            item = await frames.next()
            if item is None:
                return
            if piece := answer.take(item[0]):
                yield piece.encode()
    finally:
        await frames.end()


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
