"""Memory of strategy summary: the oldest part is folded by the model itself, visibly, and never lost."""

from __future__ import annotations

from engine import (
    Message,
    ModelCallFinished,
    ModelCallStarted,
    RunFinished,
    SummaryFailed,
    SummaryWritten,
    TextDelta,
    ToolCall,
    fit,
    needs_summary,
)
from engine.memory import summary_request
from engine.tokens import messages_tokens
from tests.engine.conftest import Ask, Outcome, spec
from tests.engine.test_memory import conversation, tool_turn
from tests.fakellm import FakeLLM

SMALL = {"memory": "summary", "context_window": 2048}


def long_history(ending: str = "the newest") -> list[Message]:
    return [*conversation(20, size=300), Message("assistant", "ok"), Message("user", ending)]


async def test_a_thread_that_grew_is_folded_before_the_answer(ask: Ask, fake: FakeLLM) -> None:
    history = long_history()
    outcome = await ask(history, **SMALL)

    kinds = [type(event) for event in outcome.events if not isinstance(event, TextDelta)]
    assert kinds[0] is ModelCallStarted
    assert kinds[1] is ModelCallFinished
    assert kinds[2] is SummaryWritten
    assert kinds[-3:] == [ModelCallStarted, ModelCallFinished, RunFinished]
    purposes = [event.purpose for event in outcome.all(ModelCallFinished)]
    assert purposes[0] == "summary"
    assert purposes[-1] == "answer"
    assert outcome.text == "You said: the newest"


async def test_the_summary_stands_for_what_it_covers(ask: Ask, fake: FakeLLM) -> None:
    history = long_history()
    outcome = await ask(history, **SMALL)

    written = outcome.all(SummaryWritten)[-1]
    assert 0 < written.covers < len(history)
    sent = fake.records[-1].body["messages"]
    assert sent[0]["role"] == "system"
    assert sent[0]["content"].startswith("You are a test.\n\nSummary of the conversation so far:\n")
    assert written.text in sent[0]["content"]
    assert [message["content"] for message in sent[1:]] == [message.content for message in history[written.covers :]]
    assert [message["role"] for message in sent].count("system") == 1


async def test_the_summary_call_reads_the_oldest_messages_and_the_old_summary(ask: Ask, fake: FakeLLM) -> None:
    old = Message("system", "They spoke of apples.", is_summary=True, covers=4)
    history = [*long_history(), old]
    outcome = await ask(history, **SMALL)

    request = fake.records[0].body["messages"][-1]["content"]
    assert request.startswith("Earlier summary:\nThey spoke of apples.")
    assert "question 2 " in request
    assert "question 1 " not in request
    assert outcome.all(SummaryWritten)[0].covers > 4
    assert "tools" not in fake.records[0].body
    assert fake.records[0].body["max_tokens"] == (2048 - 512) // 5


async def test_the_text_of_a_summary_is_no_part_of_the_answer(ask: Ask) -> None:
    outcome = await ask(long_history(), **SMALL)

    assert "Conversation:" not in outcome.text
    assert outcome.text == "You said: the newest"


async def test_a_short_thread_is_not_folded(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask(conversation(3), **SMALL)

    assert outcome.all(SummaryWritten) == []
    assert len(fake.records) == 1


async def test_with_its_summary_in_the_history_a_thread_is_not_folded_again(ask: Ask, fake: FakeLLM) -> None:
    history = long_history()
    first = await ask(history, **SMALL)
    row = first.all(SummaryWritten)[-1]
    calls = len(fake.records)
    summary = Message("system", row.text, is_summary=True, covers=row.covers)
    second = await ask([*history[:30], summary, *history[30:]], **SMALL)

    assert second.all(SummaryWritten) == []
    assert len(fake.records) == calls + 1
    assert fake.records[-1].body["messages"] == fake.records[-2].body["messages"]


async def test_when_the_summary_fails_the_run_goes_on_with_what_fits(ask: Ask, fake: FakeLLM) -> None:
    history = [Message("user", "[[summary-script: 401]]"), Message("assistant", "ok"), *long_history()]
    outcome = await ask(history, **SMALL)

    assert outcome.one(SummaryFailed).error.code == "refused_key"
    assert outcome.all(SummaryWritten) == []
    assert outcome.text == "You said: the newest"
    assert outcome.events[-1] == RunFinished("completed")


async def test_an_empty_summary_is_a_failed_one(ask: Ask) -> None:
    history = [Message("user", "[[summary-script: empty]]"), Message("assistant", "ok"), *long_history()]
    outcome = await ask(history, **SMALL)

    assert "empty summary" in outcome.one(SummaryFailed).error.message
    assert outcome.text == "You said: the newest"


async def test_a_summary_longer_than_asked_for_is_cut_and_ends_the_folding(ask: Ask, fake: FakeLLM) -> None:
    script = Message("user", "[[summary-script: long n=3000 rate=0]]")
    outcome = await ask([script, Message("assistant", "ok"), *long_history()], **SMALL)

    written = outcome.all(SummaryWritten)
    assert 1 <= len(written) <= 4
    assert all(len(event.text) <= 4 * 307 for event in written)
    assert outcome.text == "You said: the newest"


async def test_the_other_strategies_do_not_read_summaries(ask: Ask, fake: FakeLLM) -> None:
    old = Message("system", "They spoke of apples.", is_summary=True, covers=4)
    await ask([*conversation(5), old], memory="buffer")

    assert "apples" not in str(fake.records[0].body)
    assert len(fake.records[0].body["messages"]) == 10


async def test_a_run_folds_between_its_own_tool_rounds(ask: Ask, fake: FakeLLM) -> None:
    history = [message for number in range(12) for message in tool_turn(number)]
    outcome: Outcome = await ask([*history, Message("user", "the newest")], memory="summary", context_window=1024)

    assert outcome.all(SummaryWritten)
    assert outcome.text == "You said: the newest"


def test_a_summary_never_hides_the_newest_message() -> None:
    history = conversation(3)
    covering_all = Message("system", "All of it.", is_summary=True, covers=99)

    assert fit(spec(**SMALL), [*history, covering_all])[1:] == history[-1:]


def test_folding_ends_at_a_turn_and_keeps_the_newest_half() -> None:
    chosen = spec(**SMALL)
    history = long_history()
    folding = needs_summary(chosen, history)

    assert folding is not None
    assert history[folding.covers].role == "user"
    assert folding.messages == tuple(history[: folding.covers])


def test_what_is_folded_at_last_leaves_about_half_the_budget() -> None:
    chosen = spec(**SMALL)
    history = long_history()
    while (folding := needs_summary(chosen, history)) is not None:
        history.append(Message("system", "short", is_summary=True, covers=folding.covers))
    rest = messages_tokens(fit(chosen, history))
    there = 2048 - 512
    assert 0.25 * there <= rest <= 0.75 * there


def test_a_summary_call_fits_its_window_whatever_is_folded() -> None:
    chosen = spec(**SMALL)
    calls = (ToolCall("c", "look", '{"a": "' + "y" * 9_000 + '"}'),)
    history = [
        Message("user", "x" * 50_000),
        Message("assistant", "z", tool_calls=calls),
        Message("tool", "r" * 20_000, tool_call_id="c", name="look"),
        Message("assistant", "done"),
        Message("user", "the newest"),
    ]
    folding = needs_summary(chosen, history)
    assert folding is not None
    request_spec, messages = summary_request(chosen, folding)
    assert request_spec.max_output_tokens is not None
    assert messages_tokens(messages) + request_spec.max_output_tokens <= 2048


def test_the_newest_turn_is_never_folded() -> None:
    chosen = spec(**SMALL)
    assert needs_summary(chosen, tool_turn(1, rounds=60)) is None


async def test_all_but_so_many_turns_are_folded_however_little_they_are(ask: Ask, fake: FakeLLM) -> None:
    kept = {"memory": "summary", "keep_turns": 2}
    outcome = await ask([*conversation(3), Message("user", "the newest")], **kept)

    written = outcome.one(SummaryWritten)
    assert written.covers == 4
    sent = [message["content"] for message in fake.records[-1].body["messages"]]
    assert sent[1:] == [message.content for message in [*conversation(3)[4:], Message("user", "the newest")]]
    again = [Message("system", "Before.", is_summary=True), *conversation(1), Message("user", "the newest")]
    assert (await ask(again, **kept)).all(SummaryWritten) == []
    assert "Before." in fake.records[-1].body["messages"][0]["content"]


def test_a_summary_that_is_rewritten_each_time_is_short() -> None:
    history = [*conversation(3), Message("user", "the newest")]
    for window, tokens in ((100_000, 1000), (4096, (4096 - 1024) // 8)):
        folding = needs_summary(spec(memory="summary", keep_turns=2, context_window=window), history)
        assert folding is not None
        assert folding.tokens == tokens
