"""What of a thread a model is told: its newest part, the agent as it is now, and what the memory strategy says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.flows.invariants import invariants
from tests.flows.people import Fake, Object, Person, unique


async def log(owner: Person, thread: Object, *lines: str) -> None:
    """Lines that a program wrote into a thread, of the assistant."""
    for line in lines:
        await owner.say(thread, line, role="assistant")


def told(record: Object) -> list[tuple[str, str]]:
    """(role, content) of what was sent to the model."""
    sent: list[Any] = record["body"]["messages"]
    return [(message["role"], message["content"]) for message in sent]


async def test_with_120_messages_the_model_hears_the_newest_and_the_agents_current_instructions(
    owner: Person, fake: Fake
) -> None:
    agent = await owner.agent(system_instructions="Old instructions.")
    thread = await owner.thread(agent)
    await owner.ask(thread, unique())
    await log(owner, thread, *[f"line {number}" for number in range(118)])
    changed = await owner.call("PATCH", f"/api/agents/{agent['id']}", {"system_instructions": "New instructions."})
    assert changed.status == 200
    newest = unique("the newest")

    await owner.ask(thread, newest)

    sent = told(await fake.asked_once(newest))
    assert sent[0] == ("system", "New instructions.")
    assert sent[-1] == ("user", newest)
    assert ("assistant", "line 117") in sent
    assert not any("Old instructions" in content for _, content in sent)
    assert len(await owner.messages(thread)) == 122


async def test_a_thread_longer_than_the_context_window_keeps_its_newest_part(owner: Person, fake: Fake) -> None:
    thread = await owner.thread(await owner.agent(system_instructions="Be brief."))
    await asyncio.gather(*(log(owner, thread, f"{number} " + "word " * 8000) for number in range(12)))
    newest = unique("the newest")

    run = await owner.ask(thread, newest)

    assert run["status"] == "succeeded"
    sent = told(await fake.asked_once(newest))
    assert sent[0] == ("system", "Be brief.")
    assert sent[-1] == ("user", newest)
    assert len(sent) < 14


@pytest.mark.parametrize(("strategy", "window", "heard"), [("none", 20, 1), ("window", 4, 4), ("buffer", 4, 9)])
async def test_the_agents_strategy_is_obeyed(owner: Person, fake: Fake, strategy: str, window: int, heard: int) -> None:
    agent = await owner.agent(system_instructions="", memory_strategy=strategy, memory_window=window)
    thread = await owner.thread(agent)
    for number in range(4):
        await owner.ask(thread, f"question {number}")
    newest = unique("the newest")

    await owner.ask(thread, newest)

    sent = told(await fake.asked_once(newest))
    assert sent[-1] == ("user", newest)
    # A window begins with a question: an answer without it would mean nothing.
    assert len(sent) in (heard, heard - 1)
    assert sent[0][0] == "user"


async def test_a_threads_own_strategy_goes_before_its_agents(owner: Person, fake: Fake) -> None:
    thread = await owner.thread(await owner.agent(memory_strategy="buffer"), memory_strategy="none")
    await owner.ask(thread, "first")
    second, third = unique("second"), unique("third")

    await owner.ask(thread, second)
    changed = await owner.call("PUT", f"/api/threads/{thread['id']}", {"memory_strategy": ""})
    assert changed.json["memory_strategy"] == "buffer"
    await owner.ask(thread, third)

    assert told(await fake.asked_once(second)) == [("user", second)]
    assert [content for _, content in told(await fake.asked_once(third))][-3:] == [second, f"You said: {second}", third]


async def test_a_summary_is_a_row_of_its_own_and_deletes_nothing(owner: Person, fake: Fake) -> None:
    thread = await owner.thread(await owner.agent(memory_strategy="summary", system_instructions="Be brief."))
    lines = [f"{number} " + "word " * 3000 for number in range(10)]
    await log(owner, thread, *lines)
    first, second = unique("first"), unique("second")

    run = await owner.ask(thread, first)
    await owner.ask(thread, second)

    assert [step["kind"] for step in run["steps"]][-2:] == ["summary", "model"]
    rows = await owner.messages(thread)
    assert [row["content"] for row in rows[:10]] == lines
    summaries = [row for row in rows if row["role"] == "system"]
    assert summaries
    assert summaries[0]["source"] == "system"
    assert summaries[0]["content"].startswith("They exchanged")
    sent = told(await fake.asked_once(second))
    assert sent[0][0] == "system"
    assert sent[0][1].startswith("Be brief.")
    assert summaries[-1]["content"] in sent[0][1]
    assert sent[-1] == ("user", second)
    assert not any(content.startswith("0 word") for _, content in sent)
    invariants(owner.stack)
