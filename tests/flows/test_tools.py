"""Tools: asked for, called, answered to the model, and never without a bound."""

from __future__ import annotations

import json

from tests.flows.invariants import invariants
from tests.flows.people import Fake, Object, Person, unique

BOTH = ["current_time", "calculate"]


async def with_tools(owner: Person, **fields: object) -> Object:
    return await owner.thread(await owner.agent(tools=BOTH, **fields))


async def test_a_tool_is_called_and_its_result_goes_back_to_the_model(owner: Person, fake: Fake) -> None:
    thread = await with_tools(owner)
    text = unique('[[script: tool name=current_time args={"timezone": "Asia/Tokyo"}]]')

    async with owner.socket(thread) as socket:
        message = await owner.say(thread, text)
        run = await socket.run_ended(message["run_id"])

    assert [(step["kind"], step["name"], step["status"]) for step in run["steps"]] == [
        ("model", "fake-1", "succeeded"),
        ("tool", "current_time", "succeeded"),
        ("model", "fake-1", "succeeded"),
    ]
    question, asking, result, answer = await owner.messages(thread)
    assert [row["role"] for row in (question, asking, result, answer)] == ["user", "assistant", "tool", "assistant"]
    assert [(call["id"], call["name"]) for call in asking["tool_calls"]] == [("call_1", "current_time")]
    assert json.loads(asking["tool_calls"][0]["arguments"]) == {"timezone": "Asia/Tokyo"}
    assert (result["tool_call_id"], result["name"], result["source"]) == ("call_1", "current_time", "tool")
    assert answer["content"] == f"The tool said: {result['content']}"
    assert "+09:00" in result["content"] or "Tokyo" in result["content"] or "JST" in result["content"]
    assert {row["id"] for row in await owner.messages(thread)} == set(socket.reader.rows)
    offered, asked_again = await fake.asked(text)
    assert {tool["function"]["name"] for tool in offered["body"]["tools"]} == set(BOTH)
    assert asked_again["body"]["messages"][-1] == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": result["content"],
    }
    invariants(owner.stack)


async def test_several_calls_in_one_turn_are_all_answered(owner: Person) -> None:
    thread = await with_tools(owner)
    run = await owner.ask(thread, unique("[[script: tools2]]"))

    rows = await owner.messages(thread)
    results = [row for row in rows if row["role"] == "tool"]
    assert sorted(row["tool_call_id"] for row in results) == ["call_1", "call_2"]
    assert [row["content"] for row in results if row["name"] == "calculate"] == ["42"]
    assert rows[-1]["content"].startswith("The tools said: ")
    assert (run["status"], len(run["steps"])) == ("succeeded", 4)
    invariants(owner.stack)


async def test_a_tool_that_fails_tells_the_model_and_the_run_goes_on(owner: Person) -> None:
    thread = await with_tools(owner)
    for script in (
        '[[script: tool name=calculate args={"expression": "1 / 0"}]]',
        '[[script: tool name=calculate args={"formula": "1"}]]',
        "[[script: tool name=no_such_tool]]",
        '[[script: tool name=current_time args="not json"]]',
    ):
        run = await owner.ask(thread, unique(script))
        rows = [row for row in await owner.messages(thread) if row["run_id"] == run["id"]]
        assert run["status"] == "succeeded", run
        assert [step["status"] for step in run["steps"]] == ["succeeded", "failed", "succeeded"]
        assert run["steps"][1]["error"]["message"]
        assert (rows[2]["role"], rows[2]["status"]) == ("tool", "failed")
        assert rows[3]["content"] == f"The tool said: {rows[2]['content']}"
    invariants(owner.stack)


async def test_a_model_that_never_stops_asking_is_stopped_at_the_limit(owner: Person, fake: Fake) -> None:
    thread = await with_tools(owner, max_steps=3)
    text = unique("[[script: looptools]]")

    run = await owner.ask(thread, text)

    assert (run["status"], run["reason"], run["error"]["code"]) == ("failed", "max_steps", "max_steps")
    assert len(await fake.asked(text)) == 3
    assert [step["kind"] for step in run["steps"]] == ["model", "tool"] * 3
    rows = await owner.messages(thread)
    assert rows[-1]["status"] == "failed"
    assert rows[-1]["error"]["code"] == "max_steps"
    again = await owner.ask(thread, unique())
    assert again["status"] == "succeeded"
    invariants(owner.stack)
