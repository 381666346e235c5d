"""From a message to its answer, over every way to read it: the same text, byte for byte."""

from __future__ import annotations

from tests.flows.people import Fake, Person, unique


async def test_an_answer_arrives_on_the_socket_frame_by_frame(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique("[[script: unicode n=3]]")

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
    assert run["status"] == "succeeded"
    (answer,) = socket.reader.answers_of(run["id"])
    assert socket.reader.of("stream_start", message_id=answer["id"])
    end = socket.reader.one("stream_end", message_id=answer["id"])
    sent = await fake.sent(await fake.asked_once(text))
    assert end["content"].encode() == sent.encode()
    (row,) = await owner.answers(run["id"], thread)
    assert row["content"].encode() == sent.encode()
    assert (end["status"], row["status"], row["seq"]) == ("complete", "complete", 2)
    assert end["usage"] == row["usage"]
    assert row["usage"]["output_tokens"] > 0
