"""What a run by itself is told of the runs before it: what its terms say, and no more however many there were."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from agents.catalog import choose
from agents.models import Agent
from engine import ToolCall, Usage
from engine.tokens import MESSAGE_OVERHEAD, text_tokens
from runs import records, services, states
from runs.models import Run, Step
from runs.terms import Context, Terms
from tests.runs.conftest import MakeStage
from tests.runs.stage import Stage, is_folding
from threads.models import Thread, ThreadMessage
from threads.services import create_thread

NOTHING, LAST_RESULT, LAST_RUNS = Context.NOTHING, Context.LAST_RESULT, Context.LAST_RUNS
SUMMARY, WHOLE_THREAD = Context.SUMMARY, Context.WHOLE_THREAD


def terms(context: Context, **more: object) -> Terms:
    return replace(Terms(context=context, context_runs=3), **more)  # type: ignore[arg-type]


def spoken(stage: Stage) -> list[tuple[str, str]]:
    """What the last answer was asked with, without the instructions."""
    return [(role, content) for role, content in stage.told() if role != "system"]


def instructions(stage: Stage) -> str:
    return "".join(content for role, content in stage.told() if role == "system")


@pytest.fixture
def chat(agent: Agent, thread: Thread) -> Thread:
    """Another thread with the same agent."""
    return create_thread(agent, owner=thread.owner, title="Chat")


def test_with_nothing_each_run_is_told_its_own_message_alone(stage: Stage, thread: Thread) -> None:
    for text in ("first", "second"):
        stage.run(thread, text, terms(NOTHING))
    assert spoken(stage) == [("user", "second")]


def test_with_the_last_result_a_run_is_told_what_the_one_before_was_asked_and_answered(
    stage: Stage, thread: Thread
) -> None:
    for text in ("first", "second", "third"):
        stage.run(thread, text, terms(LAST_RESULT))
    assert spoken(stage) == [("user", "second"), ("assistant", "You said: second"), ("user", "third")]


def test_the_last_result_is_found_in_whichever_thread_it_was(stage: Stage, thread: Thread, chat: Thread) -> None:
    stage.run(chat, "first", terms(LAST_RESULT))
    stage.run(thread, "second", terms(LAST_RESULT))
    assert spoken(stage)[0] == ("user", "first")


def test_what_failed_was_rehearsed_was_of_another_schedule_or_found_nothing_is_no_result(
    stage: Stage, thread: Thread, agent: Agent
) -> None:
    stage.run(thread, "good", terms(LAST_RESULT))
    failed = stage.run(thread, "[[script: 401]]", terms(LAST_RESULT))
    quiet = stage.run(thread, "[[script: tool name=nothing_new]]", terms(LAST_RESULT))
    stage.run(thread, "rehearsed", terms(LAST_RESULT, rehearsal=True))
    stage.run(thread, "other", terms(LAST_RESULT), schedule=2)
    assert (failed.status, quiet.status, quiet.nothing_new) == ("failed", "succeeded", True)
    stage.run(thread, "newest", terms(LAST_RESULT))
    assert spoken(stage) == [("user", "good"), ("assistant", "You said: good"), ("user", "newest")]


def test_with_the_last_runs_a_run_is_told_so_many(stage: Stage, thread: Thread) -> None:
    for number in range(6):
        stage.run(thread, f"run {number}", terms(LAST_RUNS))
    assert [text for role, text in spoken(stage) if role == "user"] == ["run 2", "run 3", "run 4", "run 5"]


def test_a_persons_messages_are_heard_by_runs_with_the_whole_thread_alone(stage: Stage, thread: Thread) -> None:
    stage.run(thread, "first", terms(LAST_RESULT))
    stage.run(thread, "a question", schedule=None)
    for context in (NOTHING, LAST_RESULT, LAST_RUNS, SUMMARY):
        stage.run(thread, f"run with {context}", terms(context))
        assert "a question" not in [text for _, text in spoken(stage)], context
    stage.run(thread, "last", terms(WHOLE_THREAD))
    assert ("user", "a question") in spoken(stage)


def test_a_person_talks_with_the_whole_thread_and_never_reads_the_summary_of_runs(stage: Stage, thread: Thread) -> None:
    Thread.objects.filter(pk=thread.pk).update(memory_strategy="summary")
    for number in range(4):
        stage.run(thread, f"run {number}", terms(SUMMARY))
    assert ThreadMessage.objects.filter(thread=thread, kind="summary").exists()
    stage.run(thread, "What was that?", schedule=None)
    said = [text for role, text in spoken(stage) if role == "user"]
    assert said == [*[f"run {number}" for number in range(4)], "What was that?"]
    assert "Summary" not in instructions(stage)


def test_results_are_cut_with_a_mark_and_small_windows_get_less(make_stage: MakeStage, thread: Thread) -> None:
    stage = make_stage()
    long = "[[script: long n=5000 rate=0]] " + "please " * 2000
    stage.run(thread, long, terms(LAST_RESULT))
    stage.run(thread, "next", terms(LAST_RESULT))
    (_, prompt), (_, answer), own = spoken(stage)
    assert text_tokens(prompt) <= 500
    assert text_tokens(answer) <= 2000
    assert "[… cut: " in prompt
    assert answer.startswith("w0 w1 ")
    assert "[… cut: " in answer
    assert own == ("user", "next")
    stage.run(thread, long, terms(NOTHING))
    stage.model.context_window = 2048
    stage.model.save()
    assert stage.run(thread, "small", terms(LAST_RESULT)).status == "succeeded"
    assert [role for role, _ in spoken(stage)] == ["user", "assistant", "user"]
    assert 256 < sum(text_tokens(text) for _, text in stage.told()) < 1024


def test_with_a_summary_each_run_folds_what_came_before_the_last_result_and_the_row_is_there_to_read(
    stage: Stage, thread: Thread, chat: Thread
) -> None:
    for number in range(5):
        stage.run(thread if number % 2 else chat, f"run {number}", terms(SUMMARY))
    foldings = [record.body["messages"][-1]["content"] for record in stage.fake.records if is_folding(record)]
    assert len(foldings) == 3
    for number, request in enumerate(foldings):
        assert [f"user: run {n}\n" in request for n in range(5)] == [n == number for n in range(5)]
        assert request.startswith("Earlier summary:") is (number > 0)
    rows = ThreadMessage.objects.filter(kind="summary").order_by("id")
    assert [row.covers_seq for row in rows] == [None] * 3
    assert rows[2].content in instructions(stage)
    assert spoken(stage) == [("user", "run 3"), ("assistant", "You said: run 3"), ("user", "run 4")]


def test_when_the_summary_fails_the_run_is_told_the_results_that_fit_and_says_so(stage: Stage, thread: Thread) -> None:
    for number in range(3):
        run = stage.run(thread, f"run {number} [[summary-script: 401]]", terms(SUMMARY))
    assert run.status == "succeeded"
    assert [text[:5] for role, text in spoken(stage) if role == "user"] == ["run 0", "run 1", "run 2"]
    step = Step.objects.get(run=run, kind=Step.Kind.SUMMARY)
    assert (step.status, step.error_code) == ("failed", "refused_key")


def test_a_failed_summary_is_made_up_for_by_the_next_run(stage: Stage, thread: Thread) -> None:
    for number in range(3):
        stage.run(thread, f"run {number}", terms(SUMMARY))
    Step.objects.filter(kind=Step.Kind.SUMMARY).delete()
    stage.run(thread, "run 3", terms(SUMMARY))
    request = next(r for r in reversed(stage.fake.records) if is_folding(r)).body["messages"][-1]["content"]
    assert [f"user: run {n}\n" in request for n in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("context", [NOTHING, LAST_RESULT, SUMMARY])
def test_a_run_that_was_interrupted_after_a_tool_goes_on_from_its_own_rounds(
    stage: Stage, thread: Thread, context: Context
) -> None:
    for number in range(2):
        stage.run(thread, f"run {number}", terms(context))
    run = stage.start(thread, "[[script: tool]]", terms(context))
    claimed = states.claim_next(thread.pk, owner="dies")
    assert claimed is not None
    _leave_a_call_unanswered(claimed)
    (ended,) = stage.perform(run)
    assert ended.status == "succeeded"
    roles = [role for role, _ in spoken(stage)]
    assert roles == [*(["user", "assistant"] if context != NOTHING else []), "user", "assistant", "tool"]
    assert "The tool said" in ThreadMessage.objects.filter(run_id=run.pk, role="assistant").latest("id").content


def _leave_a_call_unanswered(run: Run) -> None:
    """What a worker leaves that dies before a tool has answered."""
    step, message = records.begin_answer(run, "fake-1", 2)
    calls = (ToolCall("call_1", "current_time", "{}"),)
    usage = Usage(1, 0, 1, estimated=True)
    records.settle_answer(run, step, message.pk, records.Answer("", "", calls, usage), choose(run.agent), None)
    Run.objects.filter(pk=run.pk).update(status="queued", lease_expires_at=None)  # what the sweep does


def test_a_run_that_is_retried_does_not_go_on_from_its_own_old_answer(stage: Stage, thread: Thread) -> None:
    stage.run(thread, "first", terms(LAST_RESULT))
    second = stage.run(thread, "second", terms(LAST_RESULT))
    again = services.retry(second, actor=thread.owner)
    stage.perform(again)
    assert spoken(stage) == [("user", "first"), ("assistant", "You said: first"), ("user", "second")]


PROMPT = "[[script: long n=150 rate=0]] [[summary-script: long n=600 rate=0]] Look around."
WINDOW = 6000


@pytest.mark.parametrize("context", list(Context))
def test_a_hundred_runs_into_one_thread_keep_the_models_input_bounded(
    make_stage: MakeStage, thread: Thread, context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage(WINDOW)
    began = time.monotonic()
    first, *_ = [stage.start(thread, PROMPT, terms(context)) for _ in range(100)]
    stage.perform(first)
    sizes = [_tokens(record.body["messages"]) for record in stage.asked]
    folding = [_tokens(record.body["messages"]) for record in stage.fake.records if is_folding(record)]
    with capsys.disabled():
        seconds = time.monotonic() - began
        print(f"\n{context}: run 1 {sizes[0]}, run 10 {sizes[9]}, run 100 {sizes[99]} tokens of input, {seconds:.0f} s")
    assert len(sizes) == 100
    if context == WHOLE_THREAD:
        assert sizes[9] < sizes[99] <= WINDOW - 1024
    else:
        assert abs(sizes[99] - sizes[9]) <= 0.1 * sizes[9]
        assert max(sizes) <= 1.1 * sizes[9]
    assert (len(folding) == 98 and max(folding) < 2 * sizes[9]) if context == SUMMARY else not folding


def _tokens(messages: list[dict[str, object]]) -> int:
    return sum(MESSAGE_OVERHEAD + text_tokens(str(message.get("content") or "")) for message in messages)
