"""The model asks for tools, gets their results, and goes on."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from engine import (
    BUILTIN_TOOLS,
    REPORTING_TOOLS,
    ChatModel,
    Limits,
    Message,
    ModelCallFinished,
    RunFinished,
    Tool,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolContext,
    run,
    tool,
)
from tests.engine.conftest import FAST, Ask, Outcome, spec
from tests.fakellm import FakeLLM

NOON = ToolContext(now=lambda: datetime(2026, 7, 1, 12, 0, tzinfo=UTC), timezone="Europe/Berlin")


def sleeper(effect: str, log: list[str]) -> Tool:
    async def nap(name: str, seconds: float = 0.2) -> str:
        """Sleeps."""
        log.append(f"{name} begins")
        await asyncio.sleep(seconds)
        log.append(f"{name} ends")
        return f"{name} slept"

    return tool(effect=effect)(nap)  # type: ignore[arg-type]


TWO_NAPS = '[[script: tools2 name1=nap args1={"name": "a", "seconds": 0.3} name2=nap args2={"name": "b"}]]'


def shape(outcome: Outcome) -> list[str]:
    kinds = (ToolCallStarted, ToolCallFinished)
    return [type(event).__name__ for event in outcome.events if isinstance(event, kinds)]


async def test_a_tool_is_called_and_its_result_told(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: tool name=current_time args={}]]", tools=BUILTIN_TOOLS, context=NOON)

    expected = "2026-07-01T14:00:00+02:00 (Wednesday, Europe/Berlin)"
    assert outcome.one(ToolCallFinished).content == expected
    assert outcome.text == f"The tool said: {expected}"
    assert [event.finish_reason for event in outcome.all(ModelCallFinished)] == ["tool_calls", "stop"]
    asked, answered = fake.records[1].body["messages"][-2:]
    assert asked["tool_calls"][0]["function"]["name"] == "current_time"
    assert answered == {"role": "tool", "content": expected, "tool_call_id": asked["tool_calls"][0]["id"]}


async def test_the_tools_are_offered_with_their_schemas(ask: Ask, fake: FakeLLM) -> None:
    await ask("Hello", tools=BUILTIN_TOOLS)

    offered = {item["function"]["name"]: item["function"] for item in fake.records[0].body["tools"]}
    assert set(offered) == {"current_time", "calculate"}
    assert offered["calculate"]["parameters"]["required"] == ["expression"]
    assert offered["current_time"]["parameters"]["properties"].keys() == {"timezone"}


async def test_a_model_without_tools_is_offered_none_and_reads_old_rounds_as_words(ask: Ask, fake: FakeLLM) -> None:
    history = [
        Message("user", "What time is it?"),
        Message("assistant", "", tool_calls=(ToolCall("c", "current_time", "{}"),)),
        Message("tool", "noon", tool_call_id="c", name="current_time"),
        Message("assistant", "Noon."),
        Message("user", "Thanks"),
    ]
    await ask(history, tools=BUILTIN_TOOLS, supports_tools=False)

    body = fake.records[0].body
    assert "tools" not in body
    assert {message["role"] for message in body["messages"]} == {"system", "user", "assistant"}
    assert any("noon" in message["content"] for message in body["messages"])


async def test_two_calls_of_one_turn_are_assembled_and_answered_in_order(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: tools2]]", tools=BUILTIN_TOOLS, context=NOON)

    assert [event.call.name for event in outcome.all(ToolCallFinished)] == ["current_time", "calculate"]
    assert outcome.text.endswith("| 42")
    roles = [message["role"] for message in fake.records[1].body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool"]


async def test_a_call_without_index_in_one_piece_is_understood(ask: Ask) -> None:
    outcome = await ask('[[script: tool whole=1 name=calculate args={"expression": "1+1"}]]', tools=BUILTIN_TOOLS)

    assert outcome.text == "The tool said: 2"


async def test_calls_that_only_read_run_together_and_answer_in_order(ask: Ask) -> None:
    log: list[str] = []
    outcome = await ask(TWO_NAPS, tools=[sleeper("read", log)])

    assert log == ["a begins", "b begins", "b ends", "a ends"]
    assert [event.content for event in outcome.all(ToolCallFinished)] == ["a slept", "b slept"]
    assert shape(outcome) == ["ToolCallStarted", "ToolCallStarted", "ToolCallFinished", "ToolCallFinished"]


async def test_unsafe_calls_run_one_after_another(ask: Ask) -> None:
    log: list[str] = []
    outcome = await ask(TWO_NAPS, tools=[sleeper("unsafe", log)])

    assert log == ["a begins", "a ends", "b begins", "b ends"]
    assert shape(outcome) == ["ToolCallStarted", "ToolCallFinished"] * 2
    assert outcome.all(ToolCallStarted)[0].effect == "unsafe"


async def test_a_call_begins_only_after_its_start_was_taken_note_of(model: ChatModel) -> None:
    log: list[str] = []
    messages = [Message("user", TWO_NAPS)]
    events = run(spec(), messages, model=model, tools=[sleeper("unsafe", log)], limits=FAST)
    async with aclosing(events):
        async for event in events:
            if isinstance(event, ToolCallStarted):
                before = list(log)
                await asyncio.sleep(0.05)  # a consumer that commits
                assert log == before
    assert len(log) == 4


async def test_an_unknown_tool_is_an_error_that_names_those_there_are(ask: Ask) -> None:
    outcome = await ask("[[script: tool name=teleport]]", tools=BUILTIN_TOOLS)

    finished = outcome.one(ToolCallFinished)
    assert finished.is_error
    assert finished.content == "There is no tool 'teleport'. The tools there are: current_time, calculate."
    assert outcome.events[-1] == RunFinished("completed")


async def test_a_tool_that_hangs_is_stopped_and_said_so(ask: Ask) -> None:
    started = time.monotonic()
    limits = Limits(tool_timeout=0.2)
    log: list[str] = []
    script = '[[script: tool name=nap args={"name": "long", "seconds": 60}]]'
    outcome = await ask(script, tools=[sleeper("read", log)], limits=limits)

    assert outcome.one(ToolCallFinished).is_error
    assert "did not finish within 0.2 seconds" in outcome.text
    assert log == ["long begins"]
    assert time.monotonic() - started < 3.0


async def test_a_tool_that_cancels_itself_fails_and_the_run_goes_on(ask: Ask) -> None:
    @tool(effect="read")
    async def stumble() -> str:
        """Stumbles."""
        raise asyncio.CancelledError

    outcome = await ask("[[script: tool name=stumble]]", tools=[stumble])

    assert outcome.one(ToolCallFinished).is_error
    assert outcome.events[-1] == RunFinished("completed")


async def test_a_long_result_is_cut_with_a_note(ask: Ask) -> None:
    @tool(effect="read")
    def shout() -> str:
        """Says a lot."""
        return "x" * 50_000

    outcome = await ask("[[script: tool name=shout]]", tools=[shout], limits=Limits(tool_output_chars=1_000))

    content = outcome.one(ToolCallFinished).content
    assert content == "x" * 1_000 + "\n[Cut here: 1,000 of 50,000 characters shown.]"


async def test_a_model_that_never_stops_asking_is_stopped(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: looptools]]", tools=BUILTIN_TOOLS, max_steps=4)

    assert outcome.events[-1] == RunFinished("max_steps")
    assert len(fake.records) == 4
    # the last calls are answered, so the thread can go on
    assert len(outcome.all(ToolCallFinished)) == 4


async def test_unanswered_calls_at_the_end_of_the_history_are_answered_first(ask: Ask, fake: FakeLLM) -> None:
    calls = (
        ToolCall("c1", "calculate", '{"expression": "1+1"}'),
        ToolCall("c2", "calculate", '{"expression": "2+2"}'),
    )
    history = [
        Message("user", "Calculate [[script: tool]]"),
        Message("assistant", "", tool_calls=calls),
        Message("tool", "2", tool_call_id="c1", name="calculate"),
    ]
    outcome = await ask(history, tools=BUILTIN_TOOLS)

    assert isinstance(outcome.events[0], ToolCallStarted)
    assert outcome.one(ToolCallFinished).call.id == "c2"
    assert outcome.text == "The tool said: 4"
    sent = fake.records[0].body["messages"]
    assert [message.get("tool_call_id") for message in sent] == [None, None, None, "c1", "c2"]


async def test_malformed_arguments_do_not_reach_the_server_again(ask: Ask, fake: FakeLLM) -> None:
    calls = (ToolCall("c1", "calculate", '{"expression": "1+'),)
    outcome = await ask(
        [Message("user", "[[script: tool]]"), Message("assistant", "", tool_calls=calls)], tools=BUILTIN_TOOLS
    )

    assert outcome.one(ToolCallFinished).is_error
    sent = fake.records[0].body["messages"][2]["tool_calls"][0]["function"]
    assert sent == {"name": "calculate", "arguments": "{}"}


def teller(keys: list[str]) -> Tool:
    @tool(effect="idempotent")
    async def nap(context: ToolContext, name: str = "", seconds: float = 0) -> str:
        """Tells its key."""
        keys.append(context.key)
        return context.key

    return nap


async def test_each_call_has_a_key_of_its_own_whatever_ids_the_model_gives(ask: Ask) -> None:
    keys: list[str] = []
    outcome = await ask(
        "[[script: rounds n=3 each=2 name=nap]]", tools=[teller(keys)], context=ToolContext(key="the-run")
    )

    expected = [f"the-run.{number}.{call}" for number in (1, 2, 3) for call in (1, 2)]
    assert sorted(keys) == expected
    assert [event.key for event in outcome.all(ToolCallStarted)] == expected
    assert [event.key for event in outcome.all(ToolCallFinished)] == expected


async def test_a_call_that_is_made_again_has_the_key_it_had(ask: Ask) -> None:
    keys: list[str] = []
    calls = (ToolCall("call_0", "nap", "{}"), ToolCall("call_1", "nap", "{}"))
    rounds = [Message("assistant", "", tool_calls=calls), *(Message("tool", "done", tool_call_id=c.id) for c in calls)]
    history = [
        Message("user", "Before"),
        *rounds,
        Message("assistant", "Done."),
        Message("user", "[[script: rounds n=2 each=2 name=nap]]"),
        *rounds,
        *rounds[:2],
    ]
    await ask(history, tools=[teller(keys)], context=ToolContext(key="the-run"))

    assert keys == ["the-run.2.2"]


@pytest.mark.parametrize(
    ("arguments", "ends"), [('{"reason": "No way in."}', True), ('{"reason": " "}', False), ("{}", False)]
)
async def test_a_run_is_over_after_the_round_in_which_a_tool_that_ends_it_has_worked(
    ask: Ask, fake: FakeLLM, arguments: str, ends: bool
) -> None:
    script = f"[[script: tools2 name1=report_failure args1={arguments}]]"
    outcome = await ask(script, tools=[*BUILTIN_TOOLS, *REPORTING_TOOLS])

    assert [event.is_error for event in outcome.all(ToolCallFinished)] == [not ends, False]
    assert outcome.events[-1] == RunFinished("reported" if ends else "completed")
    assert len(fake.records) == (1 if ends else 2)


async def test_a_run_taken_up_at_a_call_that_ends_it_is_over_without_another_answer(ask: Ask, fake: FakeLLM) -> None:
    asking = Message("assistant", "", tool_calls=(ToolCall("c", "nothing_new", "{}"),))
    outcome = await ask([Message("user", "Look"), asking], tools=REPORTING_TOOLS)

    assert outcome.one(ToolCallFinished).content == "Nothing new."
    assert outcome.events[-1] == RunFinished("reported")
    assert fake.records == []
