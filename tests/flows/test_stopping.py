"""Stop: whatever the agent is doing, the model's connection closes within a second, and what was written stays."""

from __future__ import annotations

import time

import pytest

from tests.flows.invariants import invariants
from tests.flows.people import Fake, Object, Person, eventually, unique
from tests.flows.sockets import Socket

WITHIN = 1.0


async def disconnected(fake: Fake, text: str) -> Object:
    """The record of the newest request with ``text``, once its client has left."""

    async def look() -> Object | None:
        record = (await fake.asked(text))[-1]
        return record if record["disconnected"] else None

    return await eventually(look, "the model's connection closes", 5) or {}


async def stop(owner: Person, socket: Socket, way: str, run_id: int) -> float:
    """Stops a run in one of the ways; gives the time at which it was asked for, in seconds since the epoch."""
    asked = time.time()
    if way == "api":
        stopping = await owner.post(f"/api/runs/{run_id}/cancel", status=202)
        assert stopping["id"] == run_id
    else:
        await socket.send("cancel", run_id=run_id)
    return asked


@pytest.mark.parametrize("way", ["api", "socket"])
async def test_stopping_while_text_streams_keeps_the_text(owner: Person, fake: Fake, way: str) -> None:
    thread = await owner.thread()
    text = unique("[[script: long n=3000 rate=100]]")
    async with owner.socket(thread) as socket:
        run_id = (await owner.say(thread, text))["run_id"]
        seen = await socket.text_with("w30 ")

        asked = await stop(owner, socket, way, run_id)
        run = await socket.run_ended(run_id, seconds=5)
        record = await disconnected(fake, text)

        assert record["finished"] - asked < WITHIN
        assert (run["status"], run["reason"], run["error"]) == ("cancelled", "stopped_by_user", None)
        (row,) = await owner.answers(run_id, thread)
        assert row["status"] == "stopped"
        assert row["content"].startswith(seen)
        assert (await fake.sent(record)).startswith(row["content"])
        end = await socket.frame("stream_end", message_id=row["id"])
        assert (end["content"], end["status"]) == (row["content"], "stopped")
    assert row["usage"]["estimated"] is True
    after = await owner.ask(thread, unique())
    assert after["status"] == "succeeded"
    invariants(owner.stack)


@pytest.mark.parametrize(
    "script", ["hang after=3", "hang after=0", "hangfirst", "slow first=60"], ids=lambda script: script.split("=")[0]
)
async def test_stopping_while_nothing_comes(owner: Person, fake: Fake, script: str) -> None:
    thread = await owner.thread()
    text = unique(f"[[script: {script}]]")
    async with owner.socket(thread) as socket:
        run_id = (await owner.say(thread, text))["run_id"]
        await eventually(lambda: fake.asked(text), "the model is asked")

        asked = await stop(owner, socket, "socket", run_id)
        run = await socket.run_ended(run_id, seconds=5)

    assert (await disconnected(fake, text))["finished"] - asked < WITHIN
    assert run["status"] == "cancelled"
    rows = await owner.messages(thread)
    assert [row["status"] for row in rows] == ["complete", "stopped"]
    assert rows[1]["content"] == ("w0 w1 w2 " if "3" in script else "")
    invariants(owner.stack)


async def test_stopping_between_two_tools_leaves_no_call_without_a_result(owner: Person, fake: Fake) -> None:
    thread = await owner.thread(await owner.agent(tools=["current_time"], max_steps=200))
    text = unique("[[script: looptools first=0.15]]")
    async with owner.socket(thread) as socket:
        run_id = (await owner.say(thread, text))["run_id"]
        await socket.until(lambda: len(socket.reader.of("message", role="tool")) > 2, "some tools have answered")

        await stop(owner, socket, "socket", run_id)
        run = await socket.run_ended(run_id, seconds=5)

    assert run["status"] == "cancelled"
    count = len(await fake.asked(text))
    after = await owner.ask(thread, unique())
    assert after["status"] == "succeeded"
    assert len(await fake.asked(text)) == count
    invariants(owner.stack)


async def test_a_run_in_the_queue_is_stopped_before_it_begins(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    first, second = unique("[[script: long n=3000 rate=50]]"), unique("never asked")
    async with owner.socket(thread) as socket:
        busy = await owner.say(thread, first)
        await socket.text_with("w3 ")
        waiting = await owner.say(thread, second)
        stopped = await owner.post(f"/api/runs/{waiting['run_id']}/cancel", status=202)
        assert (stopped["status"], stopped["reason"]) == ("cancelled", "stopped_by_user")
        await stop(owner, socket, "api", busy["run_id"])
        await socket.run_ended(busy["run_id"])

    assert await fake.asked(second) == []
    withdrawn = [row for row in await owner.messages(thread) if row["id"] == waiting["id"]]
    assert [(row["status"], row["seq"]) for row in withdrawn] == [("stopped", None)]
    invariants(owner.stack)


async def test_a_run_that_has_ended_cannot_be_stopped(owner: Person) -> None:
    thread = await owner.thread()
    run = await owner.ask(thread, unique())

    refused = await owner.call("POST", f"/api/runs/{run['id']}/cancel")
    assert (refused.status, refused.error["code"]) == (409, "already_finished")
    async with owner.socket(thread) as socket:
        await socket.send("cancel", run_id=run["id"])
        assert (await socket.frame("error"))["code"] == "already_finished"
    assert (await owner.get(f"/api/runs/{run['id']}"))["status"] == "succeeded"


async def test_a_run_of_another_thread_is_not_stopped_through_this_one(owner: Person, stranger: Person) -> None:
    mine, other = await owner.thread(), await owner.thread()
    async with owner.socket(mine) as socket:
        busy = await owner.say(mine, unique("[[script: long n=3000 rate=50]]"))
        await socket.text_with("w3 ")
        async with owner.socket(other) as beside:
            await beside.send("cancel", run_id=busy["run_id"])
            assert (await beside.frame("error"))["code"] == "not_found"
        for path in ("cancel", "retry"):
            refused = await stranger.call("POST", f"/api/runs/{busy['run_id']}/{path}")
            assert refused.status == 404
        assert (await owner.get(f"/api/runs/{busy['run_id']}"))["status"] == "running"
        await stop(owner, socket, "api", busy["run_id"])
        await socket.run_ended(busy["run_id"])
