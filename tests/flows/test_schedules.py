"""Agents that run by the clock: on time, once per due time, in their own thread, and seen live."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.flows.invariants import invariants
from tests.flows.marks import on_sqlite_only
from tests.flows.people import Fake, Object, Person, eventually, people_of, unique
from tests.flows.reader import Frame
from tests.flows.sockets import Socket
from tests.flows.stack import Stack

PROMPT = "[[script: long n=20 rate=20]]"
ON_TIME = 5.0
"""Seconds from the due time to the run."""


def soon(seconds: float = 3) -> datetime:
    """A whole second that is still to come."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def once(due: datetime) -> Object:
    return {"kind": "once", "expression": due.isoformat()}


async def schedule(owner: Person, **fields: Any) -> Object:
    agent = await owner.agent(task_instructions=unique("Look around"))
    made: Object = await owner.post("/api/schedules", {"agent_id": agent["id"], **fields})
    return made


async def ledger(owner: Person, plan: Object, length: int) -> list[Object]:
    """The schedule's due times and what became of them, newest first, once there are ``length``."""

    async def look() -> list[Object] | None:
        rows: list[Object] = await owner.get(f"/api/schedules/{plan['id']}/occurrences")
        return rows if len(rows) >= length else None

    return await eventually(look, f"{length} due times are dealt with") or []


async def fires(socket: Socket, due: datetime) -> Frame:
    """Waits for the run of ``due`` on the socket, checks that it was in time, and gives it as it ended."""
    left = (due - datetime.now(UTC)).total_seconds()

    def begun() -> list[int]:
        runs = socket.reader.runs.values()
        return [run["id"] for run in runs if run["trigger"] == "schedule" and moment(run["queued_at"]) >= due]

    (run_id,) = await socket.until(begun, f"the run of {due}", left + ON_TIME)
    return await socket.run_ended(run_id)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module", autouse=True)
def every_minute(stack: Stack) -> tuple[Object, Object]:
    """Two schedules, the second paused. Made before the first test, so that the minute passes during the others."""

    async def make() -> tuple[Object, Object]:
        async with people_of(stack) as (owner, _):
            plan, paused = [await schedule(owner, expression="* * * * *") for _ in range(2)]
            answer = await owner.call("PATCH", f"/api/schedules/{paused['id']}", {"enabled": False})
            assert answer.status == 200, answer.text
            return plan, paused

    return asyncio.run(make())


async def test_a_schedule_fires_in_time_into_its_own_thread_and_is_seen_there_live(owner: Person) -> None:
    due = soon()
    plan = await schedule(owner, **once(due), prompt=PROMPT)
    assert moment(plan["next_run_at"]) == due
    now = await owner.post(f"/api/schedules/{plan['id']}/run", status=202)
    assert (await owner.get(f"/api/schedules/{plan['id']}"))["next_run_at"] == plan["next_run_at"]

    async with owner.socket(now["thread_id"]) as socket:
        run = await fires(socket, due)
        question, answer = (row for row in socket.reader.rows.values() if row["run_id"] == run["id"])
        (first,) = await ledger(owner, plan, 1)
        assert (first["outcome"], first["run_id"], first["reason"]) == ("ran", run["id"], None)
        assert moment(first["scheduled_for"]) == due
        assert 0 <= first["lateness_seconds"] <= ON_TIME

        again = soon()
        changed = await owner.call("PATCH", f"/api/schedules/{plan['id']}", {"enabled": True, **once(again)})
        assert changed.status == 200, changed.text
        second = await fires(socket, again)

    assert (run["status"], second["status"]) == ("succeeded", "succeeded")
    assert (question["role"], question["content"], question["source"]) == ("user", PROMPT, "schedule")
    assert (answer["content"], answer["status"]) == ("".join(f"w{word} " for word in range(20)), "complete")
    assert socket.reader.of("stream_start", run_id=run["id"])
    assert socket.reader.of("stream_chunk", run_id=run["id"])
    assert socket.reader.texts[answer["id"]] == answer["content"]
    thread = await owner.get(f"/api/threads/{now['thread_id']}")
    assert (thread["thread_type"], thread["agent_id"]) == ("schedule", plan["agent_id"])
    rows = await owner.messages(thread)
    assert [(row["role"], row["source"]) for row in rows][::2] == [("user", "user"), *[("user", "schedule")] * 2]
    assert [row["run_id"] for row in rows] == [id_ for id_ in (now["run_id"], run["id"], second["id"]) for _ in "qa"]
    over = await owner.get(f"/api/schedules/{plan['id']}")
    assert (over["enabled"], over["next_run_at"]) == (False, None)
    assert over["disabled_reason"] == "It was for one time only."
    invariants(owner.stack)


async def test_what_a_person_says_during_a_scheduled_run_is_answered_before_the_next_one(
    owner: Person, fake: Fake
) -> None:
    agent = await owner.agent()
    thread = await owner.thread(agent)
    into = {"agent_id": agent["id"], "thread_mode": "bound", "thread_id": thread["id"]}
    due = soon(2)
    prompts = [unique("[[script: long n=100 rate=20]]"), unique("second")]
    plans = [
        await owner.post("/api/schedules", {**into, **once(due + timedelta(seconds=number)), "prompt": prompt})
        for number, prompt in enumerate(prompts)
    ]
    first, second = [(await ledger(owner, plan, 1))[0]["run_id"] for plan in plans]
    assert (await owner.get(f"/api/runs/{second}"))["status"] == "queued"

    question = unique("a person asks")
    asked = (await owner.say(thread, question))["run_id"]
    runs = [await owner.ended(run_id) for run_id in (first, asked, second)]

    assert [run["status"] for run in runs] == ["succeeded"] * 3
    times = [moment(run[name]) for run in runs for name in ("started_at", "finished_at")]
    assert times == sorted(times)
    rows = await owner.messages(thread)
    assert [row["content"] for row in rows if row["role"] == "user"] == [prompts[0], question, prompts[1]]
    assert [row["run_id"] for row in rows] == [run_id for run_id in (first, asked, second) for _ in "qa"]
    heard = str((await fake.asked_once(question))["body"]["messages"])
    assert prompts[0] in heard  # a person talks with the whole thread; a schedule knows its own runs
    assert question not in str((await fake.asked_once(prompts[1]))["body"]["messages"])
    invariants(owner.stack)


async def test_with_two_beats_and_two_workers_each_due_time_still_runs_once(owner: Person) -> None:
    stack = owner.stack
    others = [stack.add_another("beat"), stack.add_another("worker")]
    try:
        await eventually(lambda: are_at_work(stack), "the second worker takes tasks")
        due = soon(4)
        plans = await asyncio.gather(*(schedule(owner, **once(due), prompt=unique()) for _ in range(8)))
        rows = [await ledger(owner, plan, 1) for plan in plans]
        for (row,) in rows:
            assert (row["outcome"], moment(row["scheduled_for"])) == ("ran", due)
            assert (await owner.ended(row["run_id"]))["status"] == "succeeded"
    finally:
        for part in others:
            part.stop()
            del stack.parts[part.name]
    for plan in plans:
        assert len(await owner.get(f"/api/runs?agent_id={plan['agent_id']}")) == 1
        assert len(await owner.get(f"/api/schedules/{plan['id']}/occurrences")) == 1
    invariants(stack)


async def are_at_work(stack: Stack) -> bool:
    return "is ready" in stack.parts["worker-2"].tail()


@on_sqlite_only
async def test_every_minute_means_every_minute_and_paused_means_never(
    owner: Person, every_minute: tuple[Object, Object]
) -> None:
    plan, paused = every_minute
    due = moment(plan["next_run_at"])
    assert (due.second, due.microsecond) == (0, 0)
    assert timedelta() < due - moment(plan["created_at"]) <= timedelta(minutes=1)

    await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
    row = (await ledger(owner, plan, 1))[-1]
    run = await owner.ended(row["run_id"])

    assert moment(row["scheduled_for"]) == due
    assert 0 <= row["lateness_seconds"] <= ON_TIME
    assert (run["status"], run["trigger"]) == ("succeeded", "schedule")
    shown = await owner.get(f"/api/schedules/{plan['id']}")
    minutes = (moment(shown["next_run_at"]) - due) / timedelta(minutes=1)
    assert minutes in (1, 2, 3)  # one, unless the tests before took that long
    agent = await owner.get(f"/api/agents/{plan['agent_id']}")
    assert agent["next_run_at"] == shown["next_run_at"]
    rows = await owner.messages({"id": shown["thread_id"]})
    assert (rows[0]["content"], rows[1]["run_id"]) == (agent["task_instructions"], run["id"])
    still = await owner.get(f"/api/schedules/{paused['id']}")
    assert (still["next_run_at"], still["thread_id"], still["last_run_at"]) == (None, None, None)
    assert await owner.get(f"/api/schedules/{paused['id']}/occurrences") == []
    await owner.call("PATCH", f"/api/schedules/{plan['id']}", {"enabled": False})
