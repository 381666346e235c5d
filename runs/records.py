"""The rows that a run produces. Each function is one transaction, fenced by the run's lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from agents.catalog import ModelChoice
from agents.services import note_call
from common.bulk import insert_each, save_each
from common.markdown import render_html
from common.prepared import prepared
from engine import ToolCall, Usage
from runs import states
from runs.booking import book_usage
from runs.endings import Ending
from runs.models import Run, RunStatus, Step
from runs.results import add_result, answer_open_calls
from threads.models import Thread, ThreadMessage
from threads.services import add_message, change

KEY_REFUSED = {"refused_key", "no_credit"}
"""What a person has to put right at the provider: no other run will fare better until then."""
FIRST_EPOCH = 1
"""Of the lease of a run that nobody has worked on before."""
INTERRUPTED = "Interrupted: the worker that wrote this stopped. What was written is kept."


def begin_answer(run: Run, name: str, messages: int) -> tuple[Step, ThreadMessage]:
    """A model call is about to be made: its step, and the row that its text will grow on."""
    with change(run.thread_id, ring=False) as thread:
        parent = _parent_of_answer(thread, run)
        key = f"{run.call_key}.after-{parent or 0}"
        message = add_message(
            thread,
            role=ThreadMessage.Role.ASSISTANT,
            status=ThreadMessage.Status.STREAMING,
            source=ThreadMessage.Source.AGENT,
            run_id=run.pk,
            parent_id=parent,
        )
        what = {"input": f"{messages} messages", "key": key, "message": message}
        return _begin_step(run, thread, Step.Kind.MODEL, name, **what), message


def _parent_of_answer(thread: Thread, run: Run) -> int | None:
    """The end of the branch; but a row that an earlier attempt of this run left behind gets a sibling, not a child."""
    if run.lease_epoch == FIRST_EPOCH:
        return thread.leaf_id
    leaf = thread.leaf
    while leaf and is_left_behind(leaf, run.pk):
        leaf = leaf.parent
    return leaf.pk if leaf else None


def is_left_behind(row: ThreadMessage, run_id: int) -> bool:
    """True for a partial answer of a worker that died in this very run: it is kept, and it is not built upon."""
    return row.run_id == run_id and row.error_code == Run.Reason.WORKER_LOST


def begin_summary(run: Run, name: str, messages: int) -> Step:
    """A call that folds the oldest messages into a summary is about to be made."""
    with change(run.thread_id, ring=False) as thread:
        return _begin_step(run, thread, Step.Kind.SUMMARY, name, input=f"{messages} messages")


def begin_tool(run: Run, call: ToolCall, effect: str, key: str) -> Step:
    """A tool is about to be called, with ``key``."""
    with change(run.thread_id, ring=False) as thread:
        what = {"input": call.arguments, "effect": effect, "call_id": call.id, "key": key}
        return _begin_step(run, thread, Step.Kind.TOOL, call.name, **what)


def _begin_step(run: Run, thread: Thread, kind: Step.Kind, name: str, **fields: Any) -> Step:
    states.begin_call(run, thread.version)
    index = next(iter(_last_index(run.pk)), 0) + 1
    step = Step(run=run, index=index, attempt=run.attempt, kind=kind, name=name, started_at=timezone.now(), **fields)
    insert_each([step])
    return step


@prepared
def _last_index(run_id: Any) -> QuerySet[Step, int]:
    return Step.objects.filter(run=run_id).order_by("-index").values_list("index", flat=True)[:1]


def note(run: Run, step: Step, text: str, seconds: float) -> None:
    """What the run waits for just now, in words; the step's call will be made once more in ``seconds``."""
    again_at = timezone.now() + timedelta(seconds=seconds)
    with change(run.thread_id, ring=False) as thread:
        states.fence(run, version=thread.version, note=text[:300], again_at=again_at)
        Step.objects.filter(pk=step.pk).update(tries=F("tries") + 1)


def waits_no_more(run: Run) -> None:
    """What the run waited for has come."""
    with change(run.thread_id, ring=False) as thread:
        states.fence(run, version=thread.version, note="", again_at=None)


SETTLED = (
    "content", "reasoning", "html", "tool_calls", "status", "version",
    "input_tokens", "cached_tokens", "output_tokens", "usage_estimated", "cost_usd",
    "error_code", "error_message", "error_detail",
)  # fmt: skip
"""What of a message is written once its text is whole."""


@dataclass(frozen=True)
class Answer:
    """What one model call came to."""

    content: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage


def settle_answer(
    run: Run,
    step: Step,
    message_id: int,
    answer: Answer,
    choice: ModelChoice,
    failure: Ending | None,
    ending: Ending | None = None,
) -> None:
    """The model call has ended: well, or with ``failure`` (then what was written stays, and says why it stops there).

    The run ends with its failure, or with ``ending`` when this was its last answer.
    """
    cost = choice.cost(answer.usage)
    with change(run.thread_id, ring=False) as thread:
        book_usage(run, thread, step, answer.usage, cost, failure)
        if failure is None or failure.code in KEY_REFUSED:
            note_call(choice.provider, failure.message if failure else "")
        message = ThreadMessage(
            pk=message_id,
            content=answer.content,
            reasoning=answer.reasoning,
            html=render_html(answer.content),
            tool_calls=[{"id": c.id, "name": c.name, "arguments": c.arguments} for c in answer.tool_calls],
            status=_message_status(failure),
            input_tokens=answer.usage.input_tokens,
            cached_tokens=answer.usage.cached_tokens,
            output_tokens=answer.usage.output_tokens,
            usage_estimated=answer.usage.estimated,
            cost_usd=cost,
            version=thread.version,
        )
        if failure is not None:
            message.error_code, message.error_message = failure.code, failure.message
            message.error_detail = failure.detail
        save_each([message], SETTLED)
        if last := failure or ending:
            _finish(run, thread, last)


def settle_summary(run: Run, step: Step, usage: Usage, choice: ModelChoice, text: str, covers_seq: int | None) -> None:
    """The rolling summary, as a row that people can read, with what it cost. What it stands for stays.

    ``covers_seq`` is None for one that stands for earlier runs of a schedule or webhook, not for messages.
    """
    cost = choice.cost(usage)
    with change(run.thread_id, ring=False) as thread:
        book_usage(run, thread, step, usage, cost)
        row = add_message(
            thread,
            role=ThreadMessage.Role.SYSTEM,
            kind=ThreadMessage.Kind.SUMMARY,
            source=ThreadMessage.Source.SYSTEM,
            content=text,
            html=render_html(text),
            covers_seq=covers_seq,
            run_id=run.pk,
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            usage_estimated=usage.estimated,
            cost_usd=cost,
        )
        Step.objects.filter(pk=step.pk).update(message=row)


def fail_summary(run: Run, step: Step, usage: Usage, choice: ModelChoice, error: Ending) -> None:
    """The summarising call came to nothing; the run goes on without a summary."""
    with change(run.thread_id, ring=False) as thread:
        book_usage(run, thread, step, usage, choice.cost(usage), error)


def settle_tool(run: Run, step: Step, call: ToolCall, content: str, is_error: bool) -> ThreadMessage:
    """A tool has answered: its step, and the row that the model will read."""
    with change(run.thread_id, ring=False) as thread:
        states.fence(run, version=thread.version)
        status = ThreadMessage.Status.FAILED if is_error else ThreadMessage.Status.COMPLETE
        message = add_result(thread, run, call.id, call.name, content, status=status)
        Step.objects.filter(pk=step.pk).update(
            status=Step.Status.FAILED if is_error else Step.Status.SUCCEEDED,
            output=content,
            message=message,
            finished_at=timezone.now(),
            error_message=content[:500] if is_error else "",
        )
    return message


def end(run: Run, ending: Ending) -> None:
    """The run is over. What was under way is settled; a failure stands in the thread, where the answer would."""
    with change(run.thread_id, ring=False) as thread:
        if ending.nothing_new:
            # A row after the tool's result, as after every other: some models' templates want an answer there.
            add_message(
                thread,
                role=ThreadMessage.Role.ASSISTANT,
                source=ThreadMessage.Source.AGENT,
                run_id=run.pk,
                content=ending.nothing_new,
                html=render_html(ending.nothing_new),
            )
        _finish(run, thread, ending)


def _finish(run: Run, thread: Thread, ending: Ending) -> None:
    if ending.again_at is not None:
        states.fence(run, again_at=ending.again_at)
    if ending.nothing_new:
        states.fence(run, nothing_new=True)
        run.nothing_new = True
    if ending.status != RunStatus.SUCCEEDED:
        is_shown = settle_leftovers(run, thread, ending)
        if ending.status == RunStatus.FAILED and not is_shown:
            show_failure(run, thread, ending)
    states.finish(run, thread, status=ending.status, reason=ending.reason, code=ending.code, message=ending.message)


def settle_leftovers(run: Run, thread: Thread, ending: Ending, *, answer_calls: bool = True) -> bool:
    """Nothing of a run that is over says that it is still going on. Inside ``change``.

    True when a message of the run now tells of the ending.
    """
    is_stop = ending.status == RunStatus.CANCELLED
    if answer_calls:
        answer_open_calls(run, thread, stopped=is_stop, code=ending.code, message=ending.message)
    Step.objects.filter(run=run, status=Step.Status.STARTED).update(
        status=Step.Status.CANCELLED if is_stop else Step.Status.FAILED,
        finished_at=timezone.now(),
        error_code=ending.code,
        error_message=ending.message,
    )
    unsettled = ThreadMessage.objects.filter(thread=thread, run_id=run.pk, status=ThreadMessage.Status.STREAMING)
    for message in unsettled:
        _tell(message, ending, thread.version)
    failed = ThreadMessage.objects.filter(thread=thread, run_id=run.pk, role=ThreadMessage.Role.ASSISTANT)
    return failed.filter(version=thread.version, status=_message_status(ending)).exists()


def show_failure(run: Run, thread: Thread, ending: Ending) -> None:
    """The thread says why there is no answer: on the empty answer if there is one, else on a row of its own."""
    leaf = thread.leaf
    if (
        leaf
        and leaf.run_id == run.pk
        and leaf.role == ThreadMessage.Role.ASSISTANT
        and not leaf.content
        and not leaf.tool_calls
    ):
        _tell(leaf, ending, thread.version)
        return
    row = add_message(
        thread,
        role=ThreadMessage.Role.ASSISTANT,
        source=ThreadMessage.Source.AGENT,
        run_id=run.pk,
        parent_id=_parent_of_answer(thread, run),
    )
    _tell(row, ending, thread.version)


def _tell(message: ThreadMessage, ending: Ending, version: int) -> None:
    message.status = _message_status(ending)
    message.html = render_html(message.content)
    message.version = version
    message.error_code, message.error_message, message.error_detail = (
        ending.code,
        ending.message,
        ending.detail,
    )
    message.save()


def _message_status(ending: Ending | None) -> str:
    if ending is None:
        return ThreadMessage.Status.COMPLETE
    return ThreadMessage.Status.STOPPED if ending.status == RunStatus.CANCELLED else ThreadMessage.Status.FAILED
