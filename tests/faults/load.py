"""People who talk while things break: what was accepted is kept, and at the end each of it must have been answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from uuid import uuid4

import aiohttp

from tests.faults.cluster import Cluster
from tests.flows.people import Fake, Object, Person, eventually, newest_user_text, unique

SHORT = "[[script: long n=12 rate=20 stamp=1]]"
"""0.6 s of text that no two answers share: each word says when it was sent."""
LEFT_BEHIND = ("worker_lost", "gave_up")
FINISHED = ("succeeded", "failed", "cancelled")
TROUBLE = (aiohttp.ClientError, TimeoutError, ConnectionError)


@dataclass(frozen=True)
class Accepted:
    """A message that the web said it had stored."""

    thread_id: int
    key: str
    text: str
    message_id: int
    run_id: int


@dataclass
class Tally:
    """What came of the accepted messages. ``requests`` counts those to the model, ``given_up`` are the runs that lost
    three workers."""

    answered: int = 0
    given_up: list[int] = field(default_factory=list)
    requests: int = 0
    attempts: int = 0
    wrong: list[str] = field(default_factory=list)


async def say_surely(person: Person, thread: Object, text: str, seconds: float = 60.0) -> Accepted:
    """Sends until it is accepted, as a client does that does not know what became of its last try."""
    key = uuid4().hex
    body = {"content": text, "client_message_id": key}

    async def accepted() -> Object | None:
        try:
            async with asyncio.timeout(10):
                answer = await person.call("POST", f"/api/threads/{thread['id']}/messages", body)
        except TROUBLE:
            return None
        assert answer.status == 201 or answer.status >= 500, (answer.status, answer.text)
        row: Object | None = answer.json if answer.status == 201 else None
        return row

    row = await eventually(accepted, "a message is accepted", seconds) or {}
    return Accepted(thread["id"], key, text, row["id"], row["run_id"])


class Crowd:
    """``talkers`` people, each with a thread and one of the doors, who talk until it is enough.

    Each waits until its message is answered before the next, but every third time it sends two at once.
    """

    def __init__(self, cluster: Cluster, owner: Person, *, talkers: int) -> None:
        self.cluster = cluster
        self.accepted: list[Accepted] = []
        self._owner = owner
        self._talkers = talkers
        self._is_enough = False
        self._ended: set[int] = set()

    @property
    def done(self) -> int:
        """How many messages have been answered."""
        return len(self._ended & {message.run_id for message in self.accepted})

    def enough(self) -> None:
        """Nobody sends anything new."""
        self._is_enough = True

    async def until_done(self, count: float) -> None:
        """Waits until so many have been answered."""

        async def look() -> bool:
            return self.done >= count

        await eventually(look, f"{count:.0f} messages are answered", 90)

    async def talk(self) -> None:
        """Until all is sent and answered."""
        agent = await self._owner.agent()
        threads = [await self._owner.thread(agent) for _ in range(self._talkers)]
        watch = asyncio.create_task(self._watch())
        doors = cycle(self.cluster.doors)
        people = [Person(self.cluster, self._owner.token, self._owner.http, next(doors)) for _ in threads]
        try:
            async with asyncio.TaskGroup() as group:
                for person, thread in zip(people, threads, strict=True):
                    group.create_task(self._converse(person, thread))
        finally:
            watch.cancel()

    async def _converse(self, person: Person, thread: Object) -> None:
        turn = 0
        while not self._is_enough:
            turn += 1
            count = 2 if turn % 3 == 0 else 1
            sent = [await say_surely(person, thread, unique(SHORT)) for _ in range(count)]
            self.accepted += sent
            for message in sent:
                await self._has_ended(message.run_id)

    async def _has_ended(self, run_id: int) -> None:
        async def look() -> bool:
            return run_id in self._ended

        await eventually(look, f"run {run_id} ends", 90)

    async def _watch(self) -> None:
        """Asks the database itself, once for everybody: the crowd must not be the load."""
        query = "SELECT id FROM runs_run WHERE status IN ('succeeded', 'failed', 'cancelled')"
        while True:
            try:
                self._ended.update(row[0] for row in await asyncio.to_thread(self.cluster.rows, query))
            except Exception:  # the database is one of the things that break
                await asyncio.sleep(0.5)
            await asyncio.sleep(0.1)


async def tally(cluster: Cluster, accepted: Iterable[Accepted]) -> Tally:
    """Compares what was accepted with the rows, and the rows with what the model server sent."""
    accepted = list(accepted)
    rows, runs, records = _messages(cluster), _runs(cluster), await _records(cluster)
    result = Tally()
    async with aiohttp.ClientSession() as http:

        async def sent(record: Object) -> str:
            async with http.get(f"{cluster.model_url}/_sent/{record['n']}") as answer:
                return await answer.text()

        for message in accepted:
            asked = [await sent(record) for record in records[message.text]]
            result.requests += len(asked)
            _judge(message, runs, rows, asked, result)
    return result


def _judge(message: Accepted, runs: dict[int, Any], rows: dict[int, list[Any]], sent: list[str], result: Tally) -> None:
    status, reason, attempt, key, calls = runs[message.run_id]
    result.attempts += attempt
    name = f"run {message.run_id}"
    questions = [row for row in rows[message.run_id] if row[1] == "user"]
    answers = [row for row in rows[message.run_id] if row[1] == "assistant"]
    whole = [row for row in answers if row[2] == "complete"]
    broken = [row for row in answers if row[2] != "complete"]
    if [(row[0], row[3]) for row in questions] != [(message.message_id, message.text)] or key != message.key:
        result.wrong.append(f"{name}: the message is not there once: {questions}")
    if len(sent) > calls:
        result.wrong.append(f"{name}: the model was asked {len(sent)} times, and {calls} steps tell of it")
    result.wrong += [
        f"{name}: left behind {row[3]!r}, {row[4]}, and no answer of the model began so"
        for row in broken
        if row[4] not in LEFT_BEHIND or (row[3] and not any(text.startswith(row[3]) for text in sent))
    ]
    if (status, reason) == ("failed", "worker_lost") and attempt == 3 and not whole:
        result.given_up.append(message.run_id)
    elif status != "succeeded" or len(whole) != 1 or whole[0][3] not in sent:
        result.wrong.append(f"{name}: {status}, {reason}, attempt {attempt}; answers {whole}, sent {sent}")
    else:
        result.answered += 1


def _messages(cluster: Cluster) -> dict[int, list[Any]]:
    by_run: dict[int, list[Any]] = defaultdict(list)
    for run_id, *row in cluster.rows("SELECT run_id, id, role, status, content, error_code FROM thread_messages"):
        by_run[run_id].append(row)
    return by_run


def _runs(cluster: Cluster) -> dict[int, Any]:
    calls = "(SELECT count(*) FROM runs_step WHERE run_id = runs_run.id AND kind = 'model')"
    return {pk: row for pk, *row in cluster.rows(f"SELECT id, status, reason, attempt, key, {calls} FROM runs_run")}


async def _records(cluster: Cluster) -> dict[str, list[Object]]:
    by_text: dict[str, list[Object]] = defaultdict(list)
    async with aiohttp.ClientSession() as http, http.get(f"{cluster.model_url}/_requests") as answer:
        for record in json.loads(await answer.text()):
            by_text[newest_user_text(record)].append(record)
    return by_text


async def threads_of(owner: Person, count: int, **fields: Any) -> list[Object]:
    """New threads, with one agent."""
    agent = await owner.agent(**fields)
    return list(await asyncio.gather(*(owner.thread(agent) for _ in range(count))))


async def all_ended(cluster: Cluster, run_ids: Iterable[int], seconds: float) -> float:
    """Waits until all these runs are over; gives the seconds it took."""
    began = time.monotonic()
    wanted = set(run_ids)

    async def look() -> bool:
        rows = await asyncio.to_thread(cluster.rows, "SELECT id, status FROM runs_run")
        return wanted <= {pk for pk, status in rows if status in FINISHED}

    await eventually(look, f"{len(wanted)} runs end", seconds)
    return time.monotonic() - began


async def forget(fake: Fake) -> None:
    """The model server's records begin anew: reading those of all tests before would take longer each time."""
    async with aiohttp.ClientSession() as http, http.post(f"{fake.url}/_reset"):
        pass
