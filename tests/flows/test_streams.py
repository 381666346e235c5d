"""From a message to its answer, over every way to read it: the same text, byte for byte."""

from __future__ import annotations

import asyncio

import pytest

from tests.flows.events import Listener
from tests.flows.people import Fake, Person, unique
from tests.flows.reader import Reader


async def whole_texts(owner: Person, fake: Fake, thread: dict[str, object], text: str) -> tuple[bytes, bytes]:
    """What the model server sent for ``text``, and what the row of the answer holds."""
    record = await fake.asked_once(text)
    rows = [row for row in await owner.messages(thread) if row["role"] == "assistant"]
    return (await fake.sent(record)).encode(), rows[-1]["content"].encode()


def last_text(reader: Reader) -> bytes:
    """The newest message that a client put together by appending."""
    return reader.texts[max(reader.texts)].encode()


async def test_an_answer_arrives_on_the_socket_frame_by_frame(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique("[[script: unicode n=2]]")

    async with owner.socket(thread) as socket:
        history = await socket.frame("thread_history")
        await socket.send("message", content=text, client_message_id="one")
        received = await socket.frame("message_received")
        run = await socket.run_ended(received["run_id"])

    assert history["thread_id"] == thread["id"]
    assert (history["messages"], history["runs"]) == ([], [])
    assert (received["thread_id"], received["client_message_id"]) == (thread["id"], "one")
    question = socket.reader.of("message", id=received["message_id"])[0]
    assert (question["role"], question["content"], question["seq"]) == ("user", text, 1)
    assert [frame["run"]["status"] for frame in socket.reader.of("run")][-1] == "succeeded"
    assert (run["reason"], run["attempt"], len(run["steps"])) == ("completed", 1, 1)
    (answer,) = socket.reader.answers_of(run["id"])
    kinds = [f["type"] for f in socket.reader.frames if answer["id"] in (f.get("message_id"), f.get("id"))]
    chunks = kinds.count("stream_chunk")
    assert chunks > 1
    assert kinds == ["message", "stream_start", *["stream_chunk"] * chunks, "stream_end", "message"]
    end = socket.reader.one("stream_end", message_id=answer["id"])
    sent, row = await whole_texts(owner, fake, thread, text)
    assert end["content"].encode() == sent == row
    assert (answer["status"], answer["seq"], answer["run_id"]) == ("complete", 2, run["id"])
    assert end["usage"] == answer["usage"] == run["usage"]
    assert answer["usage"]["output_tokens"] > 0


async def test_two_clients_on_one_thread_see_the_same(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique("[[script: unicode n=2]]")

    async with owner.socket(thread) as one, owner.socket(thread) as other:
        await asyncio.gather(one.frame("thread_history"), other.frame("thread_history"))
        message = await owner.say(thread, text)
        await asyncio.gather(one.run_ended(message["run_id"]), other.run_ended(message["run_id"]))
        await other.until(lambda: other.reader.rows == one.reader.rows, "both know the same rows")

    sent, row = await whole_texts(owner, fake, thread, text)
    assert last_text(one.reader) == last_text(other.reader) == sent == row
    assert one.reader.runs == other.reader.runs
    assert not one.reader.of("message_received")


async def test_whoever_joins_late_gets_the_beginning_and_then_the_rest(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique("[[script: long n=80 rate=50]]")
    message = await owner.say(thread, text)

    async with owner.socket(thread) as early:
        await early.text_with("w15 ")
        async with owner.socket(thread) as late:
            await late.run_ended(message["run_id"])
        await early.run_ended(message["run_id"])

    history = late.reader.frames[0]
    assert [row["status"] for row in history["messages"]] == ["complete", "streaming"]
    assert [run["id"] for run in history["runs"]] == [message["run_id"]]
    assert late.reader.of("stream_start")[0]["content"] == history["messages"][1]["content"]
    sent, row = await whole_texts(owner, fake, thread, text)
    assert last_text(late.reader) == last_text(early.reader) == sent == row


async def test_a_client_that_loses_its_connection_resumes_and_misses_nothing(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique("[[script: long n=100 rate=50]]")
    message = await owner.say(thread, text)
    versions: list[int] = []

    for seen in ("w5 ", "w40 ", "w80 "):
        async with owner.socket(thread) as socket:
            await socket.frame("thread_history")
            if versions:
                await socket.send("resume", version=versions[-1])
            await socket.text_with(seen)
            versions.append(socket.reader.version)
    async with owner.socket(thread) as socket:
        await socket.send("resume", version=versions[-1])
        await socket.run_ended(message["run_id"])
        await socket.send("resume", version=0)
        await socket.until(lambda: len(socket.reader.of("message", id=message["id"])) > 0, "everything again")

    sent, row = await whole_texts(owner, fake, thread, text)
    assert last_text(socket.reader) == sent == row
    assert not socket.reader.streaming


async def test_resuming_again_and_again_while_text_streams_loses_nothing(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique("[[script: long n=150 rate=100]]")

    async with owner.socket(thread) as socket:
        history = await socket.frame("thread_history")
        message = await owner.say(thread, text)
        while not socket.reader.has_ended(message["run_id"]):
            await socket.send("resume", version=history["version"])
            await asyncio.sleep(0.07)
        await socket.until(lambda: not socket.reader.streaming, "nothing is being written")

    sent, row = await whole_texts(owner, fake, thread, text)
    assert last_text(socket.reader) == sent == row
    assert all(row["status"] == "complete" for row in socket.reader.rows.values())


@pytest.mark.parametrize("frames", [5, 11])
async def test_an_event_stream_cut_after_every_few_frames_resumes_where_it_was(
    owner: Person, fake: Fake, frames: int
) -> None:
    thread = await owner.thread()
    text = unique("[[script: unicode n=1 rate=30]]")
    listener = Listener(owner, thread, {"content": text, "client_message_id": "one"})

    async with asyncio.timeout(60):
        while not await listener.listen(frames):
            pass

    sent, row = await whole_texts(owner, fake, thread, text)
    assert last_text(listener.reader) == sent == row
    assert not listener.reader.streaming
    (run,) = listener.reader.runs.values()
    assert run["status"] == "succeeded"


async def test_an_event_stream_that_is_asked_for_when_all_is_said_ends(owner: Person) -> None:
    thread = await owner.thread()
    body = {"content": unique(), "client_message_id": "one"}
    await owner.ended((await owner.post(f"/api/threads/{thread['id']}/messages", body))["run_id"])
    listener = Listener(owner, thread, body)

    assert await listener.listen()
    assert [row["role"] for row in listener.reader.rows.values()] == ["user", "assistant"]
    assert await listener.listen()


async def test_the_plain_text_stream_is_the_answer_and_nothing_else(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique("[[script: unicode n=2]]")

    answer = await owner.call(
        "POST", f"/api/threads/{thread['id']}/messages", {"content": text}, headers={"Accept": "text/plain"}
    )

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    sent, row = await whole_texts(owner, fake, thread, text)
    assert answer.text.encode() == sent == row
    run = await owner.get(f"/api/runs/{answer.headers['Zerg-Run-Id']}")
    assert (run["status"], run["input_message_id"]) == ("succeeded", int(answer.headers["Zerg-Message-Id"]))


async def test_what_changed_since_a_version_is_exactly_that(owner: Person) -> None:
    thread = await owner.thread()
    await owner.ask(thread, unique())
    before = (await owner.get(f"/api/threads/{thread['id']}"))["version"]
    message = await owner.say(thread, unique())
    await owner.ended(message["run_id"])

    changed = await owner.messages(thread, after_version=before)

    assert [row["seq"] for row in changed] == [3, 4]
    assert await owner.messages(thread, after_version=max(row["version"] for row in changed)) == []
