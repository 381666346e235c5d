"""Bytes of a `text/event-stream` into its events."""

from __future__ import annotations

from typing import NamedTuple

MAX_EVENT_BYTES = 8 * 1024 * 1024


class ServerEvent(NamedTuple):
    """One event: its `event:` field (b"" when absent) and its `data:` lines joined with newlines."""

    name: bytes
    data: bytes


class EventTooLarge(ValueError):
    """One event is larger than 8 MB: no model sends that."""


class SSESplitter:
    """Feed network reads in, get whole events out. Works on bytes, so a character split over two reads stays
    whole.

    Line ends may be LF, CRLF or CR, mixed; comments and unknown fields are passed over.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0
        self._skip_lf = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events completed by `chunk`, maybe none. Raises EventTooLarge."""
        if not chunk:
            return []
        if self._skip_lf and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._skip_lf = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_EVENT_BYTES:
            raise EventTooLarge
        return self._read(lines)

    def finish(self) -> list[ServerEvent]:
        """What was left when the stream ended without the blank line that closes an event."""
        lines, self._rest = [self._rest, b""], b""
        return self._read(lines)

    def _read(self, lines: list[bytes]) -> list[ServerEvent]:
        events: list[ServerEvent] = []
        for line in lines:
            if self._at_start:
                line = line.removeprefix(b"\xef\xbb\xbf")
                self._at_start = False
            if not line:
                if self._data or self._name:
                    events.append(ServerEvent(self._name, b"\n".join(self._data)))
                    self._name, self._data, self._size = b"", [], 0
            elif line.startswith(b"data:"):
                value = line[6:] if line.startswith(b"data: ") else line[5:]
                self._size += len(value)
                if self._size > MAX_EVENT_BYTES:
                    raise EventTooLarge
                self._data.append(value)
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()
        return events
