"""An answer arrives as it is written, and exactly as it was sent."""

from __future__ import annotations

import asyncio

import pytest

from engine import (
    ChatModel,
    Message,
    ModelCallFinished,
    ModelCallStarted,
    ReasoningDelta,
    RunFinished,
    TextDelta,
    make_client,
)
from tests.engine.conftest import FAST, Ask, collect, spec
from tests.fakellm import FakeLLM


async def test_a_plain_answer_is_streamed_and_finished(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("Hello there")

    assert outcome.text == "You said: Hello there"
    assert isinstance(outcome.events[0], ModelCallStarted)
    assert outcome.one(ModelCallStarted).messages == 2
    finished = outcome.one(ModelCallFinished)
    assert finished.message.content == outcome.text
    assert (finished.purpose, finished.finish_reason, finished.attempt) == ("answer", "stop", 1)
    assert outcome.events[-1] == RunFinished("completed")


async def test_characters_cut_anywhere_arrive_byte_for_byte(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: unicode n=2]]")

    assert outcome.text.encode() == fake.records[0].sent.encode()
    assert outcome.one(ModelCallFinished).message.content == fake.records[0].sent
    assert len(outcome.all(TextDelta)) > 5


async def test_deltas_of_one_network_read_are_joined(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: long n=500 rate=0]]")

    assert outcome.text == fake.records[0].sent
    assert len(outcome.all(TextDelta)) < 50


async def test_tokens_are_passed_on_at_the_pace_they_are_written(model: ChatModel, fake: FakeLLM) -> None:
    behind = []
    messages = [Message("user", "[[script: long n=20 rate=50]]")]
    seen = 0
    async for item in model.stream(messages, [], spec(), FAST):
        if isinstance(item, TextDelta):
            seen += item.text.count("w")
            behind.append(len(fake.records[0].pieces) - seen)
    assert seen == 20
    assert max(behind) <= 2


async def test_reasoning_is_kept_apart_from_the_answer(ask: Ask) -> None:
    outcome = await ask("[[script: reasoning]]")

    assert outcome.text == "The answer is 42."
    thought = "".join(event.text for event in outcome.all(ReasoningDelta))
    assert thought.startswith("First I look at the question.")
    finished = outcome.one(ModelCallFinished)
    assert finished.reasoning == thought
    assert "First I look" not in finished.message.content


async def test_crlf_and_comments_make_no_difference(ask: Ask) -> None:
    assert (await ask("[[script: oddlines]]")).text == "Lines end oddly here."


async def test_a_body_that_is_not_streamed_is_accepted(ask: Ask) -> None:
    outcome = await ask("[[script: nostream]]")

    assert outcome.text == "All of it at once."
    assert outcome.one(ModelCallFinished).usage.estimated is False


async def test_an_end_without_the_done_mark_is_an_end_after_a_finish_reason(ask: Ask) -> None:
    outcome = await ask("[[script: nodone]]")

    assert outcome.error is None
    assert outcome.text == "No mark at the end."


async def test_an_answer_cut_at_its_length_says_so(ask: Ask) -> None:
    assert (await ask("[[script: echo finish=length]]")).one(ModelCallFinished).finish_reason == "length"


async def test_an_empty_answer_is_named_so(ask: Ask) -> None:
    outcome = await ask("[[script: empty]]")

    assert outcome.text == ""
    assert outcome.events[-1] == RunFinished("empty_output")


async def test_a_server_without_stream_options_is_asked_again_without_them(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: nooptions]]")
    again = await ask("[[script: nooptions]]")

    assert outcome.text == again.text == "Without options."
    assert ["stream_options" in record.body for record in fake.records] == [True, False, False]


async def test_streams_that_learn_it_at_once_all_go_on(model: ChatModel) -> None:
    outcomes = await asyncio.gather(*(collect(model, "[[script: nooptions]]") for _ in range(5)))

    assert {outcome.text for outcome in outcomes} == {"Without options."}


async def test_a_server_of_the_new_dialect_gets_max_completion_tokens(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: newmaxtokens]]", max_output_tokens=77)

    assert outcome.text == "In the new dialect."
    assert fake.records[-1].body["max_completion_tokens"] == 77
    assert "max_tokens" not in fake.records[-1].body


async def test_the_request_says_what_the_agent_is_set_to(ask: Ask, fake: FakeLLM) -> None:
    await ask("Hi", temperature=0.25, max_output_tokens=50, system="Be brief.")

    body = fake.records[0].body
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("fake-1", 0.25, 50)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    await ask("Hi")
    assert "temperature" not in fake.records[1].body
    assert "max_tokens" not in fake.records[1].body


async def test_connections_are_used_again(ask: Ask, fake: FakeLLM, model: ChatModel) -> None:
    for _ in range(3):
        await ask("Hello")
    session = model.client._client._transport.client  # type: ignore[attr-defined]
    assert sum(len(pool) for pool in session.connector._conns.values()) == 1


async def test_a_hundred_streams_at_once_lose_nothing(model: ChatModel, fake: FakeLLM) -> None:
    outcomes = await asyncio.gather(
        *(collect(model, f"[[script: long n=50 rate=50]] {number}") for number in range(100))
    )
    expected = "".join(f"w{number} " for number in range(50))
    assert {outcome.text for outcome in outcomes} == {expected}


async def test_nothing_of_the_environment_reaches_the_provider(fake: FakeLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OPENAI_API_KEY": "env-key",
        "OPENAI_ADMIN_KEY": "env-admin",
        "OPENAI_ORG_ID": "env-org",
        "OPENAI_PROJECT_ID": "env-project",
        "OPENAI_CUSTOM_HEADERS": "X-Env: env-header",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    client = make_client(fake.url, "")
    outcome = await collect(ChatModel(client, name="fake-1", provider_name="Fakeworks"), "Hello")
    await client.close()

    assert outcome.text == "You said: Hello"
    assert not [value for value in fake.records[0].headers.values() if "env-" in value]


async def test_a_server_without_keys_gets_none() -> None:
    async with FakeLLM(key="needed") as fake:
        client = make_client(fake.url, "")
        outcome = await collect(ChatModel(client, name="fake-1", provider_name="Fakeworks"), "Hello")
        await client.close()
    assert "didn't provide an API key" in outcome.failure.detail
