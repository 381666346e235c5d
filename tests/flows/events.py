"""Server-sent events as a program reads them: to the end, or cut off and resumed with the last id."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.flows.people import Person
from tests.flows.reader import Frame, Reader


@dataclass(frozen=True)
class Event:
    """One event; ``id`` is empty when the server gave none."""

    id: str
    name: str
    frame: Frame


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    """The events of an answer as they come; comments are skipped."""
    lines: list[str] = []
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if line:
            lines.append(line)
            continue
        fields = dict(part.split(": ", 1) for part in lines if not part.startswith(":"))
        lines = []
        if "data" in fields:
            frame = json.loads(fields["data"])
            assert frame["type"] == fields["event"]
            yield Event(fields.get("id", ""), fields["event"], frame)


class Listener:
    """Reads the answer to one message. ``last_id`` is what a browser would send when it comes back."""

    def __init__(self, person: Person, thread: dict[str, Any], body: dict[str, Any]) -> None:
        self.reader = Reader()
        self.last_id = ""
        self._person = person
        self._address = f"{person.base}/api/threads/{thread['id']}/messages"
        self._body = body

    async def listen(self, frames: int | None = None) -> bool:
        """Sends the message (again), takes up to ``frames`` frames and hangs up. True when the stream had ended."""
        headers = {**self._person.headers, "Accept": "text/event-stream"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        timeout = aiohttp.ClientTimeout(total=30)
        async with self._person.http.post(self._address, json=self._body, headers=headers, timeout=timeout) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "text/event-stream"
            count = 0
            async for event in events(answer):
                self.reader.take(event.frame)
                self.last_id = event.id or self.last_id
                count += 1
                if count == frames:
                    answer.close()
                    return False
        return True
