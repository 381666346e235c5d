"""PostgreSQL and Redis, and of each process two: whichever a client is led to, it sees the same."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.faults.cluster import Cluster
from tests.flows.marks import on_postgres_only
from tests.flows.people import Fake, Person, unique
from tests.flows.reader import Reader
from tests.flows.sockets import Socket

pytestmark = on_postgres_only


@pytest.fixture
def both(cluster: Cluster, owner: Person) -> list[Person]:
    """The same person at each web."""
    assert [len(cluster.of_kind(kind)) for kind in ("web", "worker", "beat")] == [2, 2, 2]
    return [Person(cluster, owner.token, owner.http, door) for door in cluster.doors]


def streamed(reader: Reader, message: int) -> str:
    """What a client appended: its first prefix and all chunks after it, whose offsets the reader has checked."""
    begun, *_ = reader.of("stream_start", message_id=message)
    chunks = reader.of("stream_chunk", message_id=message)
    assert [chunk["offset"] for chunk in chunks] == sorted({chunk["offset"] for chunk in chunks})
    return str(begun["content"]) + "".join(chunk["content"] for chunk in chunks)


def rows_of(reader: Reader) -> list[dict[str, object]]:
    """The rows as a client knows them, whether from the history or from frames of their own."""
    return [{name: value for name, value in row.items() if name != "type"} for row in reader.rows.values()]


async def test_clients_of_both_webs_see_the_same_frames(both: list[Person], fake: Fake) -> None:
    one, other = both
    thread, text = await one.thread(), unique("[[script: unicode n=3 rate=40]]")
    async with AsyncExitStack() as stack:
        early = [await stack.enter_async_context(person.socket(thread)) for person in both]
        await asyncio.gather(*(socket.frame("thread_history") for socket in early))
        await early[0].send("message", content=text)
        received = await early[0].frame("message_received")
        await early[1].frame("message", id=received["message_id"])
        await early[1].until(lambda: any(early[1].reader.texts.values()), "some text is there")
        late = [await stack.enter_async_context(person.socket(thread)) for person in both]
        everybody: list[Socket] = [*early, *late]
        await asyncio.gather(*(socket.run_ended(received["run_id"]) for socket in everybody))
        (row,) = await other.answers(received["run_id"], thread)
        await asyncio.gather(*(socket.frame("stream_end", message_id=row["id"]) for socket in everybody))

    sent = await fake.sent(await fake.asked_once(text))
    assert row["content"].encode() == sent.encode()
    for socket in everybody:
        assert streamed(socket.reader, row["id"]).encode() == sent.encode()
        assert rows_of(socket.reader) == rows_of(early[0].reader)
        assert socket.reader.runs == early[0].reader.runs


async def test_a_message_to_one_web_is_stopped_at_the_other(both: list[Person]) -> None:
    one, other = both
    thread = await one.thread()
    async with one.socket(thread) as here, other.socket(thread) as there:
        message = await one.say(thread, unique("[[script: long n=3000 rate=50]]"))
        await there.text_with("w9 ")
        await there.send("cancel", run_id=message["run_id"])
        ended = await asyncio.gather(here.run_ended(message["run_id"], 5), there.run_ended(message["run_id"], 5))
    assert [run["status"] for run in ended] == ["cancelled"] * 2
    assert here.reader.texts == there.reader.texts


async def test_the_same_send_at_both_webs_at_once_is_one_message(both: list[Person], fake: Fake) -> None:
    thread, text = await both[0].thread(), unique()
    body = {"content": text, "client_message_id": "one"}
    path = f"/api/threads/{thread['id']}/messages"
    answers = await asyncio.gather(*(both[number % 2].post(path, body) for number in range(20)))
    assert len({(answer["id"], answer["run_id"]) for answer in answers}) == 1
    assert (await both[1].ended(answers[0]["run_id"]))["status"] == "succeeded"
    await fake.asked_once(text)
    assert [row["role"] for row in await both[0].messages(thread)] == ["user", "assistant"]
