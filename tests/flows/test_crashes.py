"""kill -9, in the middle of everything: what was accepted is done, what was written stays, nobody is left waiting."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import redis

from tests.flows.invariants import invariants
from tests.flows.people import Fake, Object, Person, eventually, people_of, unique
from tests.flows.stack import PARTS, Stack

LONG = "[[script: long n=100 rate=50]]"
WHOLE = "".join(f"w{number} " for number in range(100))


@dataclass
class Zerg:
    """A stack whose parts may be killed, and who uses it."""

    stack: Stack
    owner: Person
    fake: Fake

    def kill(self, *names: str) -> None:
        for name in names:
            self.stack.parts[name].kill()

    def restart(self, *names: str) -> None:
        for name in names:
            self.stack.restart(name)

    async def threads(self, count: int) -> list[Object]:
        agent = await self.owner.agent()
        return [await self.owner.thread(agent) for _ in range(count)]


@pytest.fixture
async def zerg(hasty: Stack) -> AsyncIterator[Zerg]:
    """Afterwards all parts run again, and the rows contradict nothing."""
    async with people_of(hasty) as (owner, _):
        yield Zerg(hasty, owner, Fake(hasty.model_url))
    for name in PARTS:
        if not hasty.parts[name].is_running:
            hasty.restart(name)
    hasty.until_ready()
    invariants(hasty)


async def answer_of(zerg: Zerg, thread: Object, run_id: int) -> Object:
    """The answer that counts: the newest of its run."""
    return (await zerg.owner.answers(run_id, thread))[-1]


async def test_a_worker_killed_in_mid_answer_is_replaced_and_its_text_stays(zerg: Zerg) -> None:
    thread = await zerg.owner.thread()
    async with zerg.owner.socket(thread) as socket:
        socket.reader.expects_a_crash = True
        message = await zerg.owner.say(thread, unique(LONG))
        run_id = message["run_id"]
        await socket.text_with("w30 ")
        kept = (await answer_of(zerg, thread, run_id))["content"]
        assert kept

        zerg.kill("worker")
        waiting = await zerg.owner.say(thread, unique())
        zerg.restart("worker")
        began = time.monotonic()
        run = await socket.run_ended(run_id, seconds=60)
        print(f"the run of a killed worker ended after {time.monotonic() - began:.1f} s")
        later = await socket.run_ended(waiting["run_id"])

    assert (run["status"], run["attempt"]) == ("succeeded", 2)
    old, new = await zerg.owner.answers(run_id, thread)
    assert old["content"].startswith(kept)
    assert WHOLE.startswith(old["content"])
    assert (old["status"], old["error"]["code"]) == ("failed", "worker_lost")
    assert (new["content"], new["status"]) == (WHOLE, "complete")
    assert old["parent_id"] == new["parent_id"] == message["id"]
    assert [(step["attempt"], step["status"]) for step in run["steps"]] == [(1, "failed"), (2, "succeeded")]
    assert later["status"] == "succeeded"
    assert [row["seq"] for row in await zerg.owner.messages(thread)] == [1, 2, 3, 4, 5]


async def test_a_worker_told_to_end_hands_its_run_to_the_next(zerg: Zerg) -> None:
    thread = await zerg.owner.thread()
    async with zerg.owner.socket(thread) as socket:
        message = await zerg.owner.say(thread, unique(LONG))
        seen = await socket.text_with("w20 ")
        began = time.monotonic()
        code = await asyncio.to_thread(zerg.stack.parts["worker"].stop, signal.SIGTERM)
        print(f"a worker told to end was gone after {time.monotonic() - began:.1f} s")
        assert code == 0
        handed = await zerg.owner.get(f"/api/runs/{message['run_id']}")
        assert (handed["status"], handed["attempt"]) == ("queued", 0)
        old = await answer_of(zerg, thread, message["run_id"])
        assert old["content"].startswith(seen)
        zerg.restart("worker")
        run = await socket.run_ended(message["run_id"])

    assert (run["status"], run["attempt"]) == ("succeeded", 1)
    assert (await answer_of(zerg, thread, run["id"]))["content"] == WHOLE


async def test_a_run_that_ends_soon_is_ended_by_the_worker_that_was_told_to_end(zerg: Zerg) -> None:
    thread = await zerg.owner.thread()
    async with zerg.owner.socket(thread) as socket:
        message = await zerg.owner.say(thread, unique("[[script: long n=30 rate=50]]"))
        await socket.text_with("w12 ")
        assert await asyncio.to_thread(zerg.stack.parts["worker"].stop, signal.SIGTERM) == 0
        run = await socket.run_ended(message["run_id"], seconds=5)
    assert (run["status"], run["attempt"]) == ("succeeded", 1)


async def test_messages_are_answered_while_the_broker_is_gone_and_when_it_is_back(zerg: Zerg) -> None:
    first, second = await zerg.threads(2)
    zerg.kill("broker")
    async with zerg.owner.socket(first) as socket:
        began = time.monotonic()
        message = await zerg.owner.say(first, unique())
        accepted = time.monotonic() - began
        run = await socket.run_ended(message["run_id"])
        print(f"without a broker: accepted in {accepted:.2f} s, answered in {time.monotonic() - began:.1f} s")
        assert accepted < 3
        assert run["status"] == "succeeded"
        zerg.restart("broker")
        again = await zerg.owner.say(first, unique())
        assert (await socket.run_ended(again["run_id"]))["status"] == "succeeded"
    assert (await zerg.owner.ask(second, unique()))["status"] == "succeeded"


async def test_a_worker_that_starts_without_a_broker_finds_work(zerg: Zerg) -> None:
    thread = await zerg.owner.thread()
    zerg.kill("worker", "broker")
    zerg.restart("worker")
    assert (await zerg.owner.ask(thread, unique()))["status"] == "succeeded"


async def test_a_webhook_is_answered_while_worker_and_broker_are_gone_and_runs_when_they_are_back(zerg: Zerg) -> None:
    agent = await zerg.owner.agent()
    about = {"agent_id": agent["id"], "name": "Orders", "style": "bearer", "prompt": "Look: {{payload}}"}
    webhook = await zerg.owner.post("/api/webhooks", about)
    path = webhook["url"].removeprefix(zerg.stack.origin)
    sender = replace(zerg.owner, token=webhook["secret"])
    orders = {f"order-{number}": unique() for number in range(3)}

    async def send(order: str) -> Object:
        answer = await sender.call("POST", path, {"text": orders[order]}, headers={"Idempotency-Key": order})
        assert answer.status == 202, answer.text
        told: Object = answer.json
        return told

    zerg.kill("worker", "broker")
    began = time.monotonic()
    told = [await send(order) for order in orders]
    print(f"without a broker: {len(told)} webhooks answered in {time.monotonic() - began:.2f} s")
    assert [await send(order) for order in orders] == told
    assert (await zerg.owner.get(f"/api/runs/{told[0]['run_id']}"))["status"] == "queued"
    zerg.restart("broker", "worker")
    runs = [await zerg.owner.ended(one["run_id"]) for one in told]

    assert [(run["status"], run["trigger"], run["attempt"]) for run in runs] == [("succeeded", "webhook", 1)] * 3
    rows = await zerg.owner.messages({"id": told[0]["thread_id"]})
    asked = [row["content"] for row in rows if row["role"] == "user"]
    assert [text in content for text, content in zip(orders.values(), asked, strict=True)] == [True] * 3
    assert await send("order-0") == told[0]


async def test_a_stream_loses_nothing_when_the_broker_is_killed(zerg: Zerg) -> None:
    thread = await zerg.owner.thread()
    text = unique(LONG)
    async with zerg.owner.socket(thread) as one, zerg.owner.socket(thread) as other:
        message = await zerg.owner.say(thread, text)
        await one.text_with("w20 ")
        zerg.kill("broker")
        await one.text_with("w70 ")
        zerg.restart("broker")
        runs = [await socket.run_ended(message["run_id"]) for socket in (one, other)]

    assert [(run["status"], run["attempt"]) for run in runs] == [("succeeded", 1)] * 2
    row = await answer_of(zerg, thread, message["run_id"])
    assert row["content"] == WHOLE == await zerg.fake.sent(await zerg.fake.asked_once(text))
    assert one.reader.texts == other.reader.texts == {row["id"]: WHOLE}


async def test_a_run_goes_on_without_the_web_and_its_client_catches_up(zerg: Zerg) -> None:
    thread = await zerg.owner.thread()
    text = unique(LONG)
    async with zerg.owner.socket(thread) as socket:
        message = await zerg.owner.say(thread, text)
        await socket.text_with("w20 ")
        zerg.kill("web")
        assert await socket.closed() == 1006
    zerg.restart("web")
    async with zerg.owner.socket(thread) as socket:
        await socket.send("resume", version=0)
        run = await socket.run_ended(message["run_id"])
        await socket.until(lambda: not socket.reader.streaming, "the answer is whole")

    assert (run["status"], run["attempt"]) == ("succeeded", 1)
    row = await answer_of(zerg, thread, message["run_id"])
    assert row["content"] == WHOLE == await zerg.fake.sent(await zerg.fake.asked_once(text))
    assert socket.reader.rows[row["id"]]["content"] == WHOLE


async def test_a_flushed_broker_loses_no_queued_run(zerg: Zerg) -> None:
    threads = await zerg.threads(6)
    assert await asyncio.to_thread(zerg.stack.parts["worker"].stop, signal.SIGTERM) == 0
    texts = [unique() for _ in threads]
    messages = [await zerg.owner.say(thread, text) for thread, text in zip(threads, texts, strict=True)]
    with redis.Redis.from_url(zerg.stack.redis_url) as client:
        assert client.llen("celery") >= len(threads)
        client.flushall()
        assert client.llen("celery") == 0
    assert (await zerg.owner.get(f"/api/runs/{messages[0]['run_id']}"))["status"] == "queued"

    zerg.restart("worker")
    runs = [await zerg.owner.ended(message["run_id"]) for message in messages]

    assert [(run["status"], run["attempt"]) for run in runs] == [("succeeded", 1)] * len(threads)
    for text in texts:
        await zerg.fake.asked_once(text)


async def test_everything_killed_at_once_loses_nothing_that_was_accepted(zerg: Zerg) -> None:
    threads = await zerg.threads(4)
    texts = [unique(LONG) for _ in threads]
    messages = [await zerg.owner.say(thread, text) for thread, text in zip(threads, texts, strict=True)]
    waiting = await zerg.owner.say(threads[0], unique())
    for text in texts:
        await eventually(lambda text=text: zerg.fake.asked(text), "the model is asked")  # type: ignore[misc]

    zerg.kill("web", "worker", "beat", "broker")
    zerg.restart("broker", "web", "worker", "beat")

    for thread, message in zip(threads, messages, strict=True):
        run = await zerg.owner.ended(message["run_id"], seconds=60)
        assert run["status"] == "succeeded"
        assert run["attempt"] in (1, 2)
        assert (await answer_of(zerg, thread, run["id"]))["content"] == WHOLE
    assert (await zerg.owner.ended(waiting["run_id"]))["status"] == "succeeded"


def test_after_all_of_it_zerg_itself_finds_nothing_wrong(hasty: Stack) -> None:
    assert "invariants hold" in hasty.manage("zerg_check")
