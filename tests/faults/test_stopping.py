"""Stop means stop, whoever asks at whichever door, and wherever the run is worked on."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.cluster import Cluster
from tests.faults.load import all_ended, say_surely
from tests.flows.people import Fake, Object, Person, eventually, unique
from tests.flows.test_stopping import WITHIN, disconnected
from tests.flows.tool_ledger import ledger
from tests.flows.visitor import Visitor

TEXT = "[[script: long n=3000 rate=50]]"
WAYS = ("page", "admin", "api")


@pytest.fixture
async def visitor(cluster: Cluster) -> AsyncIterator[Visitor]:
    async with Visitor.of(cluster) as somebody:
        await somebody.sign_in()
        yield somebody


async def stop(visitor: Visitor, owner: Person, way: str, thread: Object, run_id: int) -> float:
    """Gives the time, in seconds since the epoch, at which the stop was sent."""
    page, fields = {
        "page": (f"/threads/{thread['id']}/", {}),
        "admin": ("/admin/runs/run/", {"action": "cancel_runs", "_selected_action": str(run_id)}),
        "api": ("", {}),
    }[way]
    if way == "api":
        last = Person(owner.stack, owner.token, owner.http, owner.stack.doors[-1])  # type: ignore[attr-defined]
        asked = time.time()
        await last.post(f"/api/runs/{run_id}/cancel", status=202)
        return asked
    token = await visitor.token_of(page)
    asked = time.time()
    answer = await visitor.submit_with(token, page if way == "admin" else f"/runs/{run_id}/stop/", fields)
    assert answer.status in (302, 303), answer.text
    return asked


@pytest.mark.parametrize("way", WAYS)
async def test_the_providers_connection_closes_within_a_second(
    cluster: Cluster, owner: Person, fake: Fake, visitor: Visitor, way: str
) -> None:
    thread, text = await owner.thread(), unique(TEXT)
    async with owner.socket(thread) as tab:
        message = await say_surely(owner, thread, text)
        seen = await tab.text_with("w30 ")
        asked = await stop(visitor, owner, way, thread, message.run_id)
        run = await tab.run_ended(message.run_id, seconds=5)
        record = await disconnected(fake, text)

    assert record["finished"] - asked < WITHIN
    assert (run["status"], run["reason"]) == ("cancelled", "stopped_by_user")
    (row,) = await owner.answers(message.run_id, thread)
    assert (row["status"], row["content"].startswith(seen)) == ("stopped", True)
    assert (await fake.sent(record)).startswith(row["content"])
    usage = run["usage"]
    assert usage == row["usage"]
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] >= len(seen) // 5


@pytest.mark.parametrize("way", WAYS)
async def test_a_hanging_tool_is_cancelled_within_a_second(
    cluster: Cluster, owner: Person, visitor: Visitor, way: str
) -> None:
    thread, word = await owner.thread(await owner.agent(tools=["look"])), unique("w")
    arguments = json.dumps({"word": word, "seconds": 60})
    message = await say_surely(owner, thread, f"[[script: tool name=look args={arguments}]]")

    async def hangs() -> bool:
        return bool(ledger(cluster.data, word))

    await eventually(hangs, "the tool is called")
    asked = await stop(visitor, owner, way, thread, message.run_id)
    await all_ended(cluster, [message.run_id], 5)

    (cancelled,) = [entry for entry in ledger(cluster.data, word) if entry.what == "cancelled"]
    assert cancelled.time - asked < WITHIN
    run = await owner.ended(message.run_id)
    assert (run["status"], run["reason"]) == ("cancelled", "stopped_by_user")
    assert run["usage"]["input_tokens"] > 0
    assert (await owner.ask(thread, unique()))["status"] == "succeeded"
