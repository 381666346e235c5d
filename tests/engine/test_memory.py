"""What the model is sent of a long thread: what its strategy says, within its window, in one piece."""

from __future__ import annotations

import pytest

from engine import BUILTIN_TOOLS, Message, ModelError, RunSpec, ToolCall, fit
from engine.memory import budget
from engine.tokens import messages_tokens, text_tokens
from tests.engine.conftest import Ask, spec
from tests.fakellm import FakeLLM


def conversation(turns: int, size: int = 20) -> list[Message]:
    """`turns` questions with their answers, the last still unanswered; each message `size` characters and
    its number."""
    messages = []
    for number in range(turns):
        messages.append(Message("user", f"question {number} " + "q" * size))
        messages.append(Message("assistant", f"answer {number} " + "a" * size))
    return messages[:-1]


def tool_turn(number: int, rounds: int = 1) -> list[Message]:
    """A question answered with tool rounds of two calls each."""
    messages = [Message("user", f"question {number}")]
    for index in range(rounds):
        ids = [f"{number}-{index}-{letter}" for letter in "ab"]
        messages.append(Message("assistant", "", tool_calls=tuple(ToolCall(i, "look", "{}") for i in ids)))
        messages += [Message("tool", "r" * 40, tool_call_id=i, name="look") for i in ids]
    return [*messages, Message("assistant", f"answer {number}")]


def assert_whole(spec_: RunSpec, history: list[Message], sent: list[Message]) -> None:
    """System first, then a user message; every call with its results, every result with its call; the newest there."""
    assert sent[0] == Message("system", spec_.system)
    assert sent[1].role == "user"
    waiting: list[str] = []
    for message in sent:
        if message.role == "tool":
            assert waiting.pop(0) == message.tool_call_id
        else:
            assert waiting == []
            waiting = [call.id for call in message.tool_calls]
    assert waiting == []
    assert sent[-1] == history[-1]
    assert messages_tokens(sent) <= budget(spec_)


def test_buffer_sends_everything_that_fits() -> None:
    history = conversation(10)

    assert fit(spec(), history) == [Message("system", "You are a test."), *history]


def test_of_120_messages_the_newest_and_the_current_instructions_are_sent() -> None:
    history = conversation(60, size=400)
    sent = fit(spec(context_window=4096, system="The instructions of today."), history)

    assert sent[0] == Message("system", "The instructions of today.")
    assert sent[-1] == history[-1]
    assert sent[1:] == history[-len(sent[1:]) :]
    assert 10 < len(sent) < 60
    assert_whole(spec(context_window=4096, system="The instructions of today."), history, sent)


async def test_the_request_holds_the_newest_of_120_messages(ask: Ask, fake: FakeLLM) -> None:
    history = [*conversation(60, size=400), Message("assistant", "ok"), Message("user", "the newest")]
    outcome = await ask(history, context_window=4096, system="The instructions of today.")

    sent = fake.records[0].body["messages"]
    assert sent[0] == {"role": "system", "content": "The instructions of today."}
    assert sent[-1] == {"role": "user", "content": "the newest"}
    assert outcome.text == "You said: the newest"


@pytest.mark.parametrize("memory", ["none", "buffer", "window", "summary"])
@pytest.mark.parametrize("window", [600, 700, 800, 900, 1000, 1200, 1500, 2000])
def test_tool_rounds_are_never_split(memory: str, window: int) -> None:
    history = [message for number in range(30) for message in tool_turn(number, rounds=1 + number % 3)]
    for end in (len(history), len(history) - 1):
        for last in range(1, 25, 5):
            chosen = spec(memory=memory, context_window=window, window=last)
            assert_whole(chosen, history[:end], fit(chosen, history[:end]))


def test_none_sends_the_newest_turn_with_its_own_rounds_only() -> None:
    turn = tool_turn(9, rounds=2)[:-1]
    history = [*conversation(5), Message("assistant", "ok"), *turn]

    assert fit(spec(memory="none"), history) == [Message("system", "You are a test."), *turn]


def test_window_sends_the_last_n_messages() -> None:
    history = conversation(20)
    sent = fit(spec(memory="window", window=5), history)

    assert sent[1:] == history[-5:]
    even = fit(spec(memory="window", window=6), history)
    assert even[1:] == history[-5:]  # an answer without its question is left out


def test_window_of_one_sends_the_newest_message() -> None:
    history = conversation(20)

    assert fit(spec(memory="window", window=1), history)[1:] == history[-1:]
    assert fit(spec(memory="window", window=0), history)[1:] == history[-1:]


def test_window_is_also_held_to_what_fits() -> None:
    history = conversation(60, size=400)
    chosen = spec(memory="window", window=100, context_window=4096)

    sent = fit(chosen, history)
    assert len(sent) < 60
    assert_whole(chosen, history, sent)


def test_a_newest_message_that_does_not_fit_is_an_error_with_numbers() -> None:
    with pytest.raises(ModelError) as caught:
        fit(spec(context_window=1000), [Message("user", "x" * 40_000)])

    assert caught.value.code == "message_too_long"
    assert "10,0" in caught.value.message
    assert "1,000" in caught.value.message
    assert not caught.value.retryable


async def test_a_run_whose_newest_message_does_not_fit_asks_nothing(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("x" * 1_000_000)

    assert outcome.failure.code == "message_too_long"
    assert "Fakeworks" in outcome.failure.message
    assert fake.records == []


def test_a_result_without_its_call_is_left_out() -> None:
    history = [Message("tool", "lost", tool_call_id="x"), *conversation(2)]

    assert all(message.role != "tool" for message in fit(spec(), history))


def test_a_call_that_was_never_answered_gets_an_answer() -> None:
    calls = (ToolCall("c", "look", "{}"),)
    history = [Message("user", "a"), Message("assistant", "", tool_calls=calls), Message("user", "b")]

    sent = fit(spec(), history)
    assert [message.role for message in sent] == ["system", "user", "assistant", "tool", "user"]
    assert sent[3].tool_call_id == "c"
    assert "interrupted" in sent[3].content


def test_without_instructions_there_is_no_system_message() -> None:
    assert fit(spec(system="  "), conversation(1))[0].role == "user"


def test_the_budget_leaves_room_for_the_answer_and_the_tools() -> None:
    assert budget(spec(context_window=8192)) == 8192 - 1024
    assert budget(spec(context_window=2048)) == 2048 - 512
    assert budget(spec(context_window=8192, max_output_tokens=2000)) == 6192
    assert budget(spec(context_window=8192, max_output_tokens=99_999)) == 4096
    assert budget(spec(), BUILTIN_TOOLS) < budget(spec())
    assert budget(spec(supports_tools=False), BUILTIN_TOOLS) == budget(spec())


def test_tokens_are_a_quarter_of_the_characters_and_more_for_other_scripts() -> None:
    assert text_tokens("x" * 400) == 100
    assert text_tokens("") == 0
    assert text_tokens("世" * 100) == 75
