"""A process that dies at a named point: nothing is lost, nothing is said or done twice, and the run ends."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest

from tests.faults.cluster import Cluster
from tests.faults.load import SHORT, TROUBLE, all_ended, say_surely, tally
from tests.faults.marks import at_each
from tests.faults.points import POINTS
from tests.flows.people import Fake, Person, eventually, unique
from tests.flows.tool_ledger import ledger

WITHIN = 20.0
"""Seconds from a death to the end of the run: a lease of 3, a sweep every 3, the start of a worker, the answer."""
OF_ANSWERS = (
    "claimed", "answer begun", "first token", "before a checkpoint", "in a checkpoint", "after a checkpoint",
    "before the answer is settled", "while the answer is settled", "answer settled",
)  # fmt: skip
MUCH_LIKE_OTHERS = {"answer begun", "before a checkpoint", "after a checkpoint", "before the answer is settled"}
OF_TOOLS = {
    # What was begun may be made again, by a tool that says so; what was settled never is.
    "tool begun": ("look", 1),
    "before the tool is settled": ("put", 2),
    "while the tool is settled": ("look", 2),
    "tool settled": ("post", 1),
}
OF_MESSAGES = ("storing a message", "message stored", "before the answer to a message")


def test_every_point_is_a_function() -> None:
    for point in POINTS.values():
        for place in filter(None, (point.place, point.within)):
            module, _, path = place.partition(":")
            assert callable(reduce(getattr, path.split("."), importlib.import_module(module))), place


@at_each(OF_ANSWERS, rarely=MUCH_LIKE_OTHERS)
async def test_an_answer_outlives_its_worker(cluster: Cluster, owner: Person, fake: Fake, point: str) -> None:
    thread = await owner.thread()
    cluster.arm(point)
    first = await say_surely(owner, thread, unique(SHORT))
    second = await say_surely(owner, thread, unique(SHORT))
    await asyncio.to_thread(cluster.until_struck, point)
    died = time.monotonic()
    cluster.revive()

    for message in (first, second):
        assert (await owner.ended(message.run_id, WITHIN))["status"] == "succeeded"
    print(f"{point}: both answered {time.monotonic() - died:.1f} s after the death")
    found = await tally(cluster, [first, second])
    assert (found.wrong, found.answered) == ([], 2)
    # An answer that was settled is never asked for again.
    assert len(await fake.asked(first.text)) <= (1 if point == "answer settled" else 2)


@at_each(OF_TOOLS)
async def test_a_tool_is_called_again_only_while_its_result_is_not_there(
    cluster: Cluster, owner: Person, point: str
) -> None:
    tool, calls = OF_TOOLS[point]
    thread, word = await owner.thread(await owner.agent(tools=[tool])), unique("w")
    cluster.arm(point)
    message = await say_surely(owner, thread, f"[[script: tool name={tool} args={json.dumps({'word': word})}]]")
    await asyncio.to_thread(cluster.until_struck, point)
    cluster.revive()

    run = await owner.ended(message.run_id, WITHIN)

    assert (run["status"], run["attempt"]) == ("succeeded", 2), run["error"]
    made = [entry.key for entry in ledger(cluster.data, word) if entry.what == "began"]
    assert len(made) == calls
    assert len(set(made)) == 1
    assert (await owner.messages(thread))[-1]["content"] == f"The tool said: {tool} {word} is done"


@at_each(["before the tool is settled", "tool begun"])
async def test_an_unsafe_tool_that_was_interrupted_is_never_called_again(
    cluster: Cluster, owner: Person, point: str
) -> None:
    thread, word = await owner.thread(await owner.agent(tools=["post"])), unique("w")
    cluster.arm(point)
    message = await say_surely(owner, thread, f"[[script: tool name=post args={json.dumps({'word': word})}]]")
    await asyncio.to_thread(cluster.until_struck, point)
    cluster.revive()

    run = await owner.ended(message.run_id, WITHIN)

    assert (run["status"], run["reason"]) == ("failed", "may_have_happened")
    assert len([entry for entry in ledger(cluster.data, word) if entry.what == "began"]) <= 1


@at_each(["giving back"])
async def test_who_gives_a_run_back_may_die_as_well(cluster: Cluster, owner: Person, fake: Fake, point: str) -> None:
    thread = await owner.thread()
    cluster.arm("first token")
    message = await say_surely(owner, thread, unique(SHORT))
    await asyncio.to_thread(cluster.until_struck, "first token")
    cluster.arm(point)
    await asyncio.to_thread(cluster.until_struck, point)
    cluster.revive()

    run = await owner.ended(message.run_id, WITHIN)

    assert (run["status"], run["attempt"]) == ("succeeded", 2)
    assert (await tally(cluster, [message])).wrong == []


@at_each(["before handing over", "handing over"])
async def test_a_worker_killed_while_it_hands_its_run_over_loses_nothing(
    cluster: Cluster, owner: Person, fake: Fake, point: str
) -> None:
    thread = await owner.thread()
    message = await say_surely(owner, thread, unique("[[script: long n=100 rate=25 stamp=1]]"))

    async def holder() -> str | None:
        return next(iter(await asyncio.to_thread(cluster.holders)), None)

    name = await eventually(holder, "a worker has it")
    assert name is not None
    cluster.arm(point)
    os.kill(cluster.parts[name].pid, signal.SIGTERM)
    await asyncio.to_thread(cluster.until_struck, point)
    cluster.revive()

    assert (await owner.ended(message.run_id, WITHIN))["status"] == "succeeded"
    assert (await tally(cluster, [message])).wrong == []


@at_each(OF_MESSAGES)
async def test_a_web_that_dies_while_it_takes_a_message_takes_it_once(
    cluster: Cluster, owner: Person, fake: Fake, point: str
) -> None:
    thread = await owner.thread()
    cluster.arm(point)
    sending = asyncio.create_task(say_surely(owner, thread, unique(SHORT)))
    await asyncio.to_thread(cluster.until_struck, point)
    cluster.revive()

    message = await sending
    assert (await owner.ended(message.run_id, WITHIN))["status"] == "succeeded"
    found = await tally(cluster, [message])
    assert (found.wrong, found.requests) == ([], 1)
    assert [row["role"] for row in await owner.messages(thread)] == ["user", "assistant"]


@at_each(["stop asked for"])
async def test_a_stop_counts_although_the_web_died_before_it_said_so(
    cluster: Cluster, owner: Person, fake: Fake, point: str
) -> None:
    thread = await owner.thread()
    message = await say_surely(owner, thread, unique("[[script: long n=3000 rate=50]]"))
    await eventually(lambda: fake.asked(message.text), "the model is asked")
    cluster.arm(point)
    with pytest.raises(TROUBLE):
        await owner.call("POST", f"/api/runs/{message.run_id}/cancel")
    await asyncio.to_thread(cluster.until_struck, point)
    cluster.revive()
    await all_ended(cluster, [message.run_id], 5)
    run = await owner.ended(message.run_id)
    assert (run["status"], run["reason"]) == ("cancelled", "stopped_by_user")


@at_each(["firing", "fired"])
async def test_a_due_time_runs_once_although_the_clock_died(cluster: Cluster, owner: Person, point: str) -> None:
    agent = await owner.agent()
    due = datetime.now(UTC) + timedelta(seconds=4)
    cluster.arm(point)
    plan = await owner.post(
        "/api/schedules",
        {"agent_id": agent["id"], "kind": "once", "expression": due.isoformat(timespec="seconds"), "prompt": unique()},
    )
    await asyncio.to_thread(cluster.until_struck, point)
    cluster.revive()

    async def ledger_of() -> list[dict[str, int]]:
        rows: list[dict[str, int]] = await owner.get(f"/api/schedules/{plan['id']}/occurrences")
        return rows

    (row,) = await eventually(ledger_of, "the due time is dealt with")
    assert (await owner.ended(row["run_id"], WITHIN))["status"] == "succeeded"
    assert len(await owner.get(f"/api/runs?agent_id={agent['id']}")) == 1
