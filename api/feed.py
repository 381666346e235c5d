"""The frames of a thread's socket and event stream, as docs/api.md lists them.

A feed knows how far its client has got in each message being written, and gives exactly the code points that are
missing: a client that appends never sees a gap or a repeat.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from common.serialize import money
from runs.models import Run
from runs.serializers import run_json
from threads.changes import Changes
from threads.hub import LiveMessage
from threads.models import ThreadMessage
from threads.serializers import message_json, usage_json

HISTORY = 500


class Frame:
    """One frame. Encoded once, however many clients get it."""

    def __init__(self, type_: str, **data: Any) -> None:
        self.type = type_
        self.data = data

    @cached_property
    def text(self) -> str:
        return json.dumps({"type": self.type, **self.data}, ensure_ascii=False)


class Feed:
    """``have`` maps messages being written to the code points that the client holds of them.

    Both it and ``version`` say where the client is with the frame that is put, before it is put.
    """

    def __init__(self, put: Callable[[Frame], None], have: dict[int, int] | None = None) -> None:
        self._put = put
        self.version = -1
        self.have = have or {}
        self._told: set[int] = set()
        """The messages that the client has heard of on this connection."""
        self._has_history = False

    def history(self, changes: Changes) -> None:
        """Where things stand, for a client that has nothing yet."""
        self.version = changes.version
        self._put(
            Frame(
                "thread_history",
                thread_id=changes.thread.pk,
                messages=[message_json(row) for row in changes.messages],
                version=changes.version,
                runs=[run_json(run) for run in changes.runs],
            )
        )
        self._has_history = True
        self._told.update(row.pk for row in changes.messages)
        for row in changes.messages:
            if row.status == ThreadMessage.Status.STREAMING:
                self._start(row, row.content)

    def show(self, changes: Changes) -> None:
        """Rows that changed. Those that the client has in this version already are dropped."""
        for row in changes.messages:
            is_unknown = row.status == ThreadMessage.Status.STREAMING and row.pk not in self.have
            if row.version > self.version or is_unknown:
                self._show_message(changes, row)
        for run in changes.runs:
            if run.version > self.version:
                self._put(_shared(changes, ("run", run.pk), partial(_run_frame, run)))
        self.version = max(self.version, changes.version)

    def grow(self, live: LiveMessage) -> None:
        """A message being written got longer."""
        had = self.have.get(live.message_id)
        if had is None or had >= len(live.text):
            return
        self.have[live.message_id] = len(live.text)
        self._put(_shared(live, had, lambda: _chunk(live.run_id, live.message_id, had, live.text[had:])))

    def _show_message(self, changes: Changes, row: ThreadMessage) -> None:
        is_written = row.status == ThreadMessage.Status.STREAMING
        had = self.have.get(row.pk)
        if is_written and had is not None:
            if len(row.content) > had:
                self.have[row.pk] = len(row.content)
                self._put(_chunk(row.run_id, row.pk, had, row.content[had:]))
            return
        if had is None and not is_written and self._was_written_meanwhile(row):
            # Who resumes may know its text from before, and must not see it shrink.
            had = self._start(row, "" if self._has_history else row.content)
        if had is not None:
            self._end(row, had)
        self._told.add(row.pk)
        self._put(_shared(changes, ("message", row.pk), lambda: Frame("message", **message_json(row))))
        if is_written:
            self._start(row, row.content)

    def _was_written_meanwhile(self, row: ThreadMessage) -> bool:
        """Whether an answer began and ended between two looks: its client gets a beginning and an end all the same."""
        return row.role == ThreadMessage.Role.ASSISTANT and row.run_id is not None and row.pk not in self._told

    def _start(self, row: ThreadMessage, content: str) -> int:
        self.have[row.pk] = len(content)
        self._put(Frame("stream_start", run_id=row.run_id, message_id=row.pk, content=content))
        return len(content)

    def _end(self, row: ThreadMessage, had: int) -> None:
        if len(row.content) > had:
            self.have[row.pk] = len(row.content)
            self._put(_chunk(row.run_id, row.pk, had, row.content[had:]))
        del self.have[row.pk]
        self._put(
            Frame(
                "stream_end",
                run_id=row.run_id,
                message_id=row.pk,
                status=row.status,
                content=row.content,
                usage=usage_json(row),
                cost_usd=money(row.cost_usd),
            )
        )


def _chunk(run_id: int | None, message_id: int, offset: int, content: str) -> Frame:
    return Frame("stream_chunk", run_id=run_id, message_id=message_id, offset=offset, content=content)


def _run_frame(run: Run) -> Frame:
    return Frame("run", run=run_json(run))


def _shared(holder: Changes | LiveMessage, key: Any, make: Callable[[], Frame]) -> Frame:
    """The frame that all clients with the same need get: made by the first of them."""
    frame: Frame | None = holder.memo.get(("api", key))
    if frame is None:
        frame = holder.memo["api", key] = make()
    return frame
