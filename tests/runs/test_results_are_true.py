"""A run that nobody watches succeeds when it did what was asked: a normal end, a whole answer, a check that passes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agents.catalog import choose
from agents.models import Agent
from agents.toolbox import TOOLS
from common.errors import ZergError
from engine import ToolCall, Usage
from runs import checks, records, services, states
from runs.models import Run, Step
from runs.records import Answer
from runs.terms import CheckKind, Context, Terms
from tests.runs.conftest import MakeStage
from tests.runs.stage import Stage
from threads.models import Thread, ThreadMessage

CONTAINS, REGEX, JSON_SCHEMA, TOOL = CheckKind.CONTAINS, CheckKind.REGEX, CheckKind.JSON_SCHEMA, CheckKind.TOOL
PRICE = json.dumps({"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}})


def checked(kind: CheckKind, text: str, **more: Any) -> Terms:
    return replace(Terms(context=Context.NOTHING, check=kind, check_text=text), **more)


def outcome(run: Run) -> tuple[str, str]:
    return run.status, run.reason


def answers(run: Run) -> list[str]:
    rows = ThreadMessage.objects.filter(run_id=run.pk, role="assistant", status="complete").order_by("id")
    return [row.content for row in rows if row.content]


def call(name: str, **arguments: object) -> str:
    return f"[[script: tool name={name} args={json.dumps(arguments)}]]"


@pytest.fixture
def tooled(agent: Agent) -> Agent:
    agent.tools = ["current_time", "calculate"]
    agent.save()
    return agent


def test_an_answer_that_passes_its_check_is_a_success(stage: Stage, thread: Thread) -> None:
    for terms in (Terms(), checked(CONTAINS, "you SAID:\nall   well"), checked(REGEX, r"^You said: \w+ well$")):
        assert outcome(stage.run(thread, "all well", terms)) == ("succeeded", "completed")


def test_an_answer_that_fails_its_check_stays_and_the_run_says_what_was_missing(stage: Stage, thread: Thread) -> None:
    run = stage.run(thread, "all well", checked(CONTAINS, "ORDER 66"))
    assert outcome(run) == ("failed", "check_failed")
    assert run.error_message == "The answer was to contain “ORDER 66”, and does not."
    assert answers(run) == ["You said: all well"]
    last = ThreadMessage.objects.filter(thread=thread).latest("id")
    assert (last.status, last.error_code, last.error_message) == ("failed", "check_failed", run.error_message)


def test_the_answer_of_a_failed_check_is_there_to_go_on_from(stage: Stage, thread: Thread) -> None:
    stage.run(thread, "all well", checked(CONTAINS, "ORDER 66"))
    stage.run(thread, "And now?", schedule=None)
    assert stage.told()[-2:] == [("assistant", "You said: all well"), ("user", "And now?")]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ('{"price": 3}', ""),
        ('```json\n{"price": 3}\n```', ""),
        ('{"price": "3"}', "The answer is JSON, and not by the schema: at $.price, '3' is not of type 'number'."),
        ("{}", "The answer is JSON, and not by the schema: at $, 'price' is a required property."),
        ("It is 3.", "The answer was to be JSON, and is not"),
    ],
)
def test_an_answer_is_json_by_its_schema(said: str, problem: str) -> None:
    assert checks.problem_of(JSON_SCHEMA, PRICE, said).startswith(problem)
    assert bool(checks.problem_of(JSON_SCHEMA, PRICE, said)) is bool(problem)


def test_a_schema_fetches_nothing_from_the_network() -> None:
    schema = json.dumps({"$ref": "http://127.0.0.1:9/schema.json"})
    checks.validate(JSON_SCHEMA, schema)
    assert "refers to what is not in it" in checks.problem_of(JSON_SCHEMA, schema, "{}")


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (REGEX, r"^(a+)+$", "a" * 60 + "b"),
        (JSON_SCHEMA, json.dumps({"pattern": "^(a+)+$"}), json.dumps("a" * 60 + "b")),
        (JSON_SCHEMA, json.dumps({"$ref": "#"}), "{}"),
    ],
)
def test_a_check_that_takes_for_ever_is_given_up_and_says_so(
    kind: CheckKind, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "SECONDS", 1)
    checks.validate(kind, text)
    problem = checks.problem_of(kind, text, said)
    assert "Make it simpler." in problem or "without end" in problem


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (CONTAINS, "  ", "Say what"),
        (CONTAINS, "x" * 2_001, "too long"),
        (REGEX, "(", "no regular expression"),
        (REGEX, "x" * 1_001, "too long"),
        (JSON_SCHEMA, "{", "not valid JSON"),
        (JSON_SCHEMA, "[]", "is an object"),
        (JSON_SCHEMA, '{"type": "thing"}', "no JSON schema"),
        (JSON_SCHEMA, '{"not":' * 5_000 + "{}" + "}" * 5_000, "too long"),
        (JSON_SCHEMA, '{"not":' * 2_000 + "{}" + "}" * 2_000, ""),
        (TOOL, "fly", "There is no tool “fly”. There are current_time"),
    ],
)
def test_a_check_that_cannot_be_made_is_not_saved(kind: CheckKind, text: str, words: str) -> None:
    with pytest.raises(ZergError) as refused:
        checks.validate(kind, text)
    assert refused.value.code == "bad_schedule"
    assert words in refused.value.fields["check_text"]


@pytest.mark.parametrize(("kind", "text"), [("", ""), ("", "left over"), (TOOL, "calculate"), (CONTAINS, "a\nb")])
def test_a_check_that_can_be_made_is_saved(kind: str, text: str) -> None:
    checks.validate(kind, text)


def test_a_tool_that_must_be_called_counts_when_it_worked_in_this_run(
    stage: Stage, thread: Thread, tooled: Agent
) -> None:
    terms = checked(TOOL, "calculate", context=Context.WHOLE_THREAD)
    assert outcome(stage.run(thread, call("calculate", expression="6 * 7"), terms)) == ("succeeded", "completed")
    for text in ("I am sure it is 42.", call("calculate", expression="6 *"), call("current_time")):
        run = stage.run(thread, text, terms)
        assert outcome(run) == ("failed", "check_failed"), text
        assert run.error_message == "The tool calculate was to be called, and it was not called or did not work."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[script: empty]]", "empty_output"),
        ("[[script: looptools]]", "max_steps"),
        ("[[script: 401]]", "provider_error"),
    ],
)
def test_a_run_without_an_end_of_its_own_has_failed_for_the_reason_it_has(
    stage: Stage, thread: Thread, tooled: Agent, text: str, reason: str
) -> None:
    Agent.objects.filter(pk=tooled.pk).update(max_steps=2)
    assert outcome(stage.run(thread, text)) == ("failed", reason)


def test_an_answer_that_was_cut_off_is_no_success_unless_a_person_reads_along(stage: Stage, thread: Thread) -> None:
    text = "[[script: cutoff]]"
    run = stage.run(thread, text)
    assert outcome(run) == ("failed", "truncated")
    assert "longest answer" in run.error_message
    assert answers(run) == ["It breaks off in the"]
    assert outcome(stage.run(thread, text, schedule=None)) == ("succeeded", "completed")


def test_an_agent_says_itself_that_it_failed(stage: Stage, thread: Thread) -> None:
    run = stage.run(thread, call("report_failure", reason="The  page\nwants a password. " + "x" * 400))
    assert outcome(run) == ("failed", "reported_by_agent")
    assert run.error_message.startswith("The page wants a password. xxx")
    assert len(run.error_message) == 300
    assert len(stage.asked) == 1  # it is over with the call
    step = Step.objects.get(run=run, kind=Step.Kind.TOOL)
    assert (step.name, step.status, step.effect) == ("report_failure", "succeeded", "read")


def test_an_agent_says_that_nothing_is_new(stage: Stage, thread: Thread) -> None:
    run = stage.run(thread, call("nothing_new"), checked(CONTAINS, "ORDER 66"))
    assert (*outcome(run), run.nothing_new) == ("succeeded", "completed", True)
    assert answers(run) == ["Nothing new."]
    run = stage.run(thread, call("nothing_new", note="Three pages, as before."), checked(TOOL, "current_time"))
    assert (*outcome(run), run.nothing_new) == ("failed", "check_failed", False)
    assert not stage.run(thread, "all well").nothing_new


def test_a_report_counts_although_the_worker_died_right_after_it(stage: Stage, thread: Thread) -> None:
    run = stage.start(thread, "Look around", Terms())
    claimed = states.claim_next(thread.pk, owner="dies")
    assert claimed is not None
    step, message = records.begin_answer(claimed, "fake-1", 2)
    asked = ToolCall("call_1", "report_failure", '{"reason": "No way in."}')
    answer = Answer("", "", (asked,), Usage(1, 0, 1, estimated=True))
    records.settle_answer(claimed, step, message.pk, answer, choose(claimed.agent), None)
    records.settle_tool(
        claimed, records.begin_tool(claimed, asked, "read", "k"), asked, "Reported as failed: No way in.", False
    )
    Run.objects.filter(pk=run.pk).update(status="queued", lease_expires_at=None)  # what the sweep does
    (ended,) = stage.perform(run)
    assert (*outcome(ended), ended.error_message) == ("failed", "reported_by_agent", "No way in.")


def test_reports_are_for_runs_that_nobody_watches_and_models_that_can_call(
    make_stage: MakeStage, thread: Thread
) -> None:
    def offered(stage: Stage) -> list[str]:
        return [tool["function"]["name"] for tool in stage.asked[-1].body.get("tools", [])]

    stage = make_stage()
    stage.run(thread, "by itself")
    assert offered(stage) == ["report_failure", "nothing_new"]
    assert "nobody reads along" in stage.told()[0][1]
    assert "report_failure" in stage.told()[0][1]
    stage.run(thread, "a person", schedule=None)
    assert offered(stage) == []
    assert "nobody reads along" not in str(stage.told())
    stage.model.supports_tools = False
    stage.model.save()
    stage.run(thread, "by itself")
    assert offered(stage) == []
    assert "nobody reads along" in stage.told()[0][1]
    assert "report_failure" not in stage.told()[0][1]


def test_a_rehearsal_calls_what_only_reads_and_says_what_else_it_would_have_called(
    stage: Stage, thread: Thread, tooled: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def post(arguments: dict[str, Any], context: object) -> str:
        done.append(arguments["expression"])
        return "Posted."

    monkeypatch.setitem(TOOLS, "calculate", replace(TOOLS["calculate"], effect="unsafe", handler=post))
    rehearsal = Terms(context=Context.NOTHING, rehearsal=True)
    run = stage.run(thread, call("calculate", expression="6 * 7"), rehearsal)
    assert outcome(run) == ("succeeded", "completed")
    assert done == []
    words = 'Rehearsal: nothing was done. calculate would have been called with these arguments: {"expression":"6 * 7"}'
    step = Step.objects.get(run=run, kind=Step.Kind.TOOL)
    assert (step.output, step.status) == (words, "succeeded")
    again = services.retry(run, actor=thread.owner)
    assert again.terms.rehearsal
    stage.perform(again)
    assert done == []
    looked = stage.run(thread, call("current_time"), rehearsal)
    assert "Rehearsal" not in Step.objects.get(run=looked, kind=Step.Kind.TOOL).output
    stage.run(thread, call("calculate", expression="6 * 7"))
    assert done == ["6 * 7"]
