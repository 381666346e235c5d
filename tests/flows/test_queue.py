"""One run at a time in a thread: what comes meanwhile waits, in order, people before schedules, each message once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tests.flows.invariants import invariants
from tests.flows.people import Fake, Object, Person, eventually, unique
from tests.flows.visitor import Visitor

FOR_LONG = "[[script: long n=3000 rate=50]]"


async def busy(owner: Person, thread: Object) -> int:
    """The id of a run that goes on until it is stopped, and has begun to write."""
    message = await owner.say(thread, unique(FOR_LONG))

    async def is_writing() -> bool:
        return any(row["status"] == "streaming" for row in await owner.messages(thread))

    await eventually(is_writing, "the run writes")
    run: int = message["run_id"]
    return run


def begin_and_end(run: Object) -> tuple[datetime, datetime]:
    """As times: as texts, one that falls on a whole second would be out of order."""
    return datetime.fromisoformat(run["started_at"]), datetime.fromisoformat(run["finished_at"])


async def test_what_is_typed_during_a_run_waits_and_then_has_its_turn_in_order(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    first = await busy(owner, thread)
    texts = [unique(f"number {number}") for number in range(3)]

    async with owner.socket(thread) as socket:
        await socket.frame("thread_history")
        waiting = [await owner.say(thread, text) for text in texts]
        assert [(row["status"], row["seq"]) for row in waiting] == [("queued", None)] * 3
        await socket.until(lambda: len(socket.reader.of("message", status="queued")) == 3, "all three show at once")
        assert [row["content"] for row in (await owner.messages(thread))[-3:]] == texts
        await owner.post(f"/api/runs/{first}/cancel", status=202)
        for message in waiting:
            await socket.run_ended(message["run_id"])

    rows = await owner.messages(thread)
    assert [row["seq"] for row in rows] == list(range(1, 9))
    assert [row["role"] for row in rows] == ["user", "assistant"] * 4
    assert [row["content"] for row in rows if row["role"] == "user"][1:] == texts
    assert [row["content"] for row in rows if row["role"] == "assistant"][1:] == [f"You said: {text}" for text in texts]
    assert all(row["run_id"] == rows[index + 1]["run_id"] for index, row in enumerate(rows) if row["role"] == "user")
    last = (await fake.asked_once(texts[2]))["body"]["messages"]
    assert [message["content"] for message in last if message["role"] == "user"][-3:] == texts
    invariants(owner.stack)


async def test_people_come_before_schedules(owner: Person) -> None:
    agent = await owner.agent()
    thread = await owner.thread(agent)
    first = await busy(owner, thread)
    due = (datetime.now(UTC) + timedelta(seconds=2)).isoformat(timespec="seconds")
    plan = {"kind": "once", "expression": due, "prompt": "by the clock", "overlap_policy": "queue"}
    bound = {"thread_mode": "bound", "thread_id": thread["id"]}
    await owner.post("/api/schedules", {"agent_id": agent["id"], **plan, **bound})

    async def is_queued() -> bool:
        return any(row["status"] == "queued" for row in await owner.messages(thread))

    await eventually(is_queued, "the schedule's message waits")
    said = await owner.say(thread, "by a person")
    await owner.post(f"/api/runs/{first}/cancel", status=202)
    await owner.ended(said["run_id"])

    async def is_done() -> bool:
        return len(await owner.messages(thread)) == 6

    await eventually(is_done, "both have been answered")
    rows = [row for row in await owner.messages(thread) if row["role"] == "user"][1:]
    assert [(row["content"], row["source"]) for row in rows] == [("by a person", "api"), ("by the clock", "schedule")]


async def test_a_message_that_waits_can_be_taken_back(owner: Person, visitor: Visitor, fake: Fake) -> None:
    thread = await owner.thread()
    first = await busy(owner, thread)
    regretted, kept = unique("no"), unique("yes")
    message = await owner.say(thread, regretted)
    other = await owner.say(thread, kept)

    async with visitor.page_socket(thread["id"]) as socket:
        answer = await visitor.submit(f"/threads/{thread['id']}/", f"/queue/{message['id']}/remove/", {})
        assert answer.status == 303
        await socket.until(
            lambda: any(kept in f["h"] and regretted not in f["h"] for f in socket.puts("queue")), "it leaves the queue"
        )
    await owner.post(f"/api/runs/{first}/cancel", status=202)
    await owner.ended(other["run_id"])

    run = await owner.get(f"/api/runs/{message['run_id']}")
    assert (run["status"], run["reason"]) == ("cancelled", "stopped_by_user")
    assert await fake.asked(regretted) == []
    again = await visitor.submit(f"/threads/{thread['id']}/", f"/queue/{message['id']}/remove/", {})
    assert again.status == 409
    invariants(owner.stack)


async def test_parallel_messages_never_make_two_runs_work_at_once(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    texts = [unique(f"[[script: long n=4 rate=40]] {number}") for number in range(12)]

    sent = await asyncio.gather(*(owner.say(thread, text) for text in texts))
    runs = [await owner.ended(message["run_id"]) for message in sent]

    assert {run["status"] for run in runs} == {"succeeded"}
    times = sorted(begin_and_end(run) for run in runs)
    assert all(end <= start for (_, end), (start, _) in pairwise(times))
    records = sorted([(await fake.asked_once(text)) for text in texts], key=lambda record: record["time"])
    assert all(one["finished"] <= two["time"] for one, two in pairwise(records))
    rows = await owner.messages(thread)
    assert [row["role"] for row in rows] == ["user", "assistant"] * 12
    invariants(owner.stack)


async def test_a_hundred_parallel_posts_of_one_message_are_one_message(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique()

    sent = await asyncio.gather(*(owner.say(thread, text, client_message_id="once") for _ in range(100)))

    assert len({(message["id"], message["run_id"]) for message in sent}) == 1
    await owner.ended(sent[0]["run_id"])
    assert [row["role"] for row in await owner.messages(thread)] == ["user", "assistant"]
    await fake.asked_once(text)
    assert len(await owner.get(f"/api/threads/{thread['id']}/runs")) == 1
    late = await owner.say(thread, text, client_message_id="once")
    assert (late["id"], late["run_id"]) == (sent[0]["id"], sent[0]["run_id"])
    refused = await owner.call(
        "POST", f"/api/threads/{thread['id']}/messages", {"content": "other", "client_message_id": "once"}
    )
    assert (refused.status, refused.error["code"]) == (409, "key_reused")
    async with owner.socket(thread) as socket:
        await socket.send("message", content="other", client_message_id="once")
        assert (await socket.frame("error"))["code"] == "key_reused"
        await socket.send("message", content=text, client_message_id="once")
        assert (await socket.frame("message_received"))["message_id"] == late["id"]
    assert len(await owner.messages(thread)) == 2
    invariants(owner.stack)


async def test_two_runs_asked_for_at_once_on_a_thread_as_it_stands_take_turns(owner: Person) -> None:
    thread = await owner.thread()
    await owner.ask(thread, "Hello")

    started = await asyncio.gather(*(owner.post(f"/api/threads/{thread['id']}/runs", status=202) for _ in range(4)))
    runs = [await owner.ended(answer["run_id"]) for answer in started]

    assert {run["status"] for run in runs} == {"succeeded"}
    times = sorted(begin_and_end(run) for run in runs)
    assert all(end <= start for (_, end), (start, _) in pairwise(times))
    invariants(owner.stack)


async def test_an_agent_that_worked_in_many_threads_at_once_is_idle_when_all_are_done(owner: Person) -> None:
    agent = await owner.agent()
    threads = [await owner.thread(agent) for _ in range(12)]

    for _ in range(2):
        runs = await asyncio.gather(*(owner.ask(thread, unique("[[script: long n=5 rate=50]]")) for thread in threads))
        assert {run["status"] for run in runs} == {"succeeded"}
        assert (await owner.get(f"/api/agents/{agent['id']}"))["status"] == "idle"
    invariants(owner.stack)


async def test_threads_take_turns_to_be_the_active_one_while_all_of_them_work(owner: Person) -> None:
    agent = await owner.agent()
    threads = [await owner.thread(agent) for _ in range(4)]

    async def activate(thread: Object) -> None:
        for _ in range(8):
            answer = await owner.call("PUT", f"/api/threads/{thread['id']}", {"active": True})
            # So many at once may be told to try again; none may fail, or disturb those that work.
            assert answer.status in (200, 409), answer.text

    async def work(thread: Object) -> None:
        for _ in range(8):
            run = await owner.ask(thread, unique())
            assert run["status"] == "succeeded", run["error"]

    await asyncio.gather(*(activate(thread) for thread in threads), *(work(thread) for thread in threads))

    listed = await owner.get(f"/api/threads?agent_id={agent['id']}")
    assert sum(1 for thread in listed if thread["active"]) == 1
    invariants(owner.stack)
