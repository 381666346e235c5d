"""The rows that a run produces. Each function is one transaction, fenced by the run's lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F
from django.utils import timezone

from agents.catalog import ModelChoice
from common.markdown import render_html
from engine import ToolCall, Usage
from runs import states
from runs.models import Run, RunStatus, Step
from threads.models import Thread, ThreadMessage
from threads.services import add_message, change

INTERRUPTED = "Interrupted: the worker that wrote this stopped. What was written is kept."


@dataclass(frozen=True)
class Ending:
    """How a run ends: its status, the typed reason, and for a failure the error's code, sentence and details."""

    status: RunStatus
    reason: Run.Reason
    code: str = ""
    message: str = ""
    detail: str = ""


def begin_answer(run: Run, name: str, messages: int) -> tuple[Step, ThreadMessage]:
    """A model call is about to be made: its step, and the row that its text will grow on."""
    with change(run.thread_id, ring=False) as thread:
        step = _begin_step(run, thread, Step.Kind.MODEL, name, input=f"{messages} messages")
        message = add_message(
            thread,
            role=ThreadMessage.Role.ASSISTANT,
            status=ThreadMessage.Status.STREAMING,
            source=ThreadMessage.Source.AGENT,
            run_id=run.pk,
            parent=_parent_of_answer(thread, run),
        )
        Step.objects.filter(pk=step.pk).update(message=message)
    return step, message


def _parent_of_answer(thread: Thread, run: Run) -> ThreadMessage | None:
    """The end of the branch; but a row that an earlier attempt of this run left behind gets a sibling, not a child."""
    leaf = thread.leaf
    while leaf and is_left_behind(leaf, run.pk):
        leaf = leaf.parent
    return leaf


def is_left_behind(row: ThreadMessage, run_id: int) -> bool:
    """True for a partial answer of a worker that died in this very run: it is kept, and it is not built upon."""
    return row.run_id == run_id and row.error_code == Run.Reason.WORKER_LOST


def begin_summary(run: Run, name: str, messages: int) -> Step:
    """A call that folds the oldest messages into a summary is about to be made."""
    with change(run.thread_id, ring=False) as thread:
        return _begin_step(run, thread, Step.Kind.SUMMARY, name, input=f"{messages} messages")


def begin_tool(run: Run, call: ToolCall, effect: str) -> Step:
    """A tool is about to be called."""
    with change(run.thread_id, ring=False) as thread:
        return _begin_step(run, thread, Step.Kind.TOOL, call.name, input=call.arguments, effect=effect, call_id=call.id)


def _begin_step(run: Run, thread: Thread, kind: Step.Kind, name: str, **fields: str) -> Step:
    states.fence(run, version=thread.version, note="")
    index = Step.objects.filter(run=run).count() + 1
    return Step.objects.create(
        run=run, index=index, attempt=run.attempt, kind=kind, name=name, started_at=timezone.now(), **fields
    )


def note(run: Run, step: Step, text: str) -> None:
    """What the run waits for just now, in words; the step's call will be made once more."""
    with change(run.thread_id, ring=False) as thread:
        states.fence(run, version=thread.version, note=text[:300])
        Step.objects.filter(pk=step.pk).update(tries=F("tries") + 1)


def checkpoint(run: Run, message_id: int, content: str, reasoning: str, first_token_at: datetime | None) -> None:
    """The text so far, made durable."""
    with change(run.thread_id, ring=False) as thread:
        fields = {"first_token_at": first_token_at} if first_token_at and run.first_token_at is None else {}
        # The run's version stays: its clients have nothing new to hear of it.
        states.fence(run, lease_expires_at=states.lease_end(), **fields)
        ThreadMessage.objects.filter(pk=message_id).update(content=content, reasoning=reasoning, version=thread.version)
    run.first_token_at = run.first_token_at or first_token_at


@dataclass(frozen=True)
class Answer:
    """What one model call came to."""

    content: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage


def settle_answer(
    run: Run, step: Step, message_id: int, answer: Answer, choice: ModelChoice, ending: Ending | None
) -> None:
    """The model call has ended: well, or with ``ending`` (then what was written stays, and says why it stops there)."""
    cost = choice.cost(answer.usage)
    with change(run.thread_id, ring=False) as thread:
        _book_usage(run, thread, step, answer.usage, cost, ending)
        fields = {} if ending is None else {
            "error_code": ending.code, "error_message": ending.message, "error_detail": ending.detail
        }  # fmt: skip
        ThreadMessage.objects.filter(pk=message_id).update(
            content=answer.content,
            reasoning=answer.reasoning,
            html=render_html(answer.content),
            tool_calls=[{"id": c.id, "name": c.name, "arguments": c.arguments} for c in answer.tool_calls],
            status=_message_status(ending),
            input_tokens=answer.usage.input_tokens,
            cached_tokens=answer.usage.cached_tokens,
            output_tokens=answer.usage.output_tokens,
            usage_estimated=answer.usage.estimated,
            cost_usd=cost,
            version=thread.version,
            **fields,
        )
        if ending is not None:
            _finish(run, thread, ending)


def settle_summary(run: Run, step: Step, usage: Usage, choice: ModelChoice, error: Ending | None) -> None:
    """The summarising call has ended; with ``error`` the run goes on without a summary."""
    with change(run.thread_id, ring=False) as thread:
        _book_usage(run, thread, step, usage, choice.cost(usage), error)


def add_summary(run: Run, text: str, covers_seq: int) -> None:
    """The rolling summary, as a row that people can read. What it stands for stays."""
    with change(run.thread_id, ring=False) as thread:
        states.fence(run, version=thread.version)
        add_message(
            thread,
            role=ThreadMessage.Role.SYSTEM,
            kind=ThreadMessage.Kind.SUMMARY,
            source=ThreadMessage.Source.SYSTEM,
            content=text,
            html=render_html(text),
            covers_seq=covers_seq,
            run_id=run.pk,
        )


def settle_tool(run: Run, step: Step, call: ToolCall, content: str, is_error: bool) -> ThreadMessage:
    """A tool has answered: its step, and the row that the model will read."""
    with change(run.thread_id, ring=False) as thread:
        states.fence(run, version=thread.version)
        message = _add_result(thread, run, call.id, call.name, content, failed=is_error)
        Step.objects.filter(pk=step.pk).update(
            status=Step.Status.FAILED if is_error else Step.Status.SUCCEEDED,
            output=content,
            message=message,
            finished_at=timezone.now(),
            error_message=content[:500] if is_error else "",
        )
    return message


def _add_result(thread: Thread, run: Run, call_id: str, name: str, content: str, *, failed: bool) -> ThreadMessage:
    return add_message(
        thread,
        role=ThreadMessage.Role.TOOL,
        source=ThreadMessage.Source.TOOL,
        content=content,
        tool_call_id=call_id,
        name=name,
        status=ThreadMessage.Status.FAILED if failed else ThreadMessage.Status.COMPLETE,
        run_id=run.pk,
    )


def end(run: Run, ending: Ending) -> None:
    """The run is over. What was under way is settled; a failure stands in the thread, where the answer would."""
    with change(run.thread_id, ring=False) as thread:
        _finish(run, thread, ending)


def _finish(run: Run, thread: Thread, ending: Ending) -> None:
    is_shown = settle_leftovers(run, thread, ending)
    if ending.status == RunStatus.FAILED and not is_shown:
        show_failure(run, thread, ending)
    states.finish(run, thread, status=ending.status, reason=ending.reason, code=ending.code, message=ending.message)


def settle_leftovers(run: Run, thread: Thread, ending: Ending, *, answer_calls: bool = True) -> bool:
    """Nothing of a run that is over says that it is still going on. Inside ``change``.

    True when a message of the run now tells of the ending.
    """
    is_stop = ending.status == RunStatus.CANCELLED
    Step.objects.filter(run=run, status=Step.Status.STARTED).update(
        status=Step.Status.CANCELLED if is_stop else Step.Status.FAILED,
        finished_at=timezone.now(),
        error_code=ending.code,
        error_message=ending.message,
    )
    unsettled = ThreadMessage.objects.filter(thread=thread, run_id=run.pk, status=ThreadMessage.Status.STREAMING)
    for message in unsettled:
        _tell(message, ending, thread.version)
    if answer_calls:
        _answer_open_calls(run, thread, "Stopped before it finished." if is_stop else ending.message)
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
        parent=_parent_of_answer(thread, run),
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


def _answer_open_calls(run: Run, thread: Thread, words: str) -> None:
    """A call without a result would make every later request of this thread invalid."""
    rows = ThreadMessage.objects.filter(thread=thread, run_id=run.pk)
    answered = set(rows.filter(role=ThreadMessage.Role.TOOL).values_list("tool_call_id", flat=True))
    for asking in rows.filter(role=ThreadMessage.Role.ASSISTANT).exclude(tool_calls=[]).order_by("-seq")[:1]:
        for call in asking.tool_calls:
            if call["id"] not in answered:
                _add_result(thread, run, call["id"], call["name"], words, failed=True)


def _book_usage(
    run: Run, thread: Thread, step: Step, usage: Usage, cost: Decimal | None, ending: Ending | None
) -> None:
    """Tokens and money of one call, on its step and summed on the run. One unknown price makes the run's unknown."""
    is_first = not Step.objects.filter(run=run, finished_at__isnull=False).exclude(kind=Step.Kind.TOOL).exists()
    total = cost if is_first else (None if cost is None else F("cost_usd") + cost)
    states.fence(
        run,
        version=thread.version,
        input_tokens=F("input_tokens") + usage.input_tokens,
        cached_tokens=F("cached_tokens") + usage.cached_tokens,
        output_tokens=F("output_tokens") + usage.output_tokens,
        usage_estimated=True if usage.estimated else F("usage_estimated"),
        cost_usd=total,
    )
    failed = ending is not None and ending.status != RunStatus.CANCELLED
    stopped = ending is not None and ending.status == RunStatus.CANCELLED
    Step.objects.filter(pk=step.pk).update(
        status=Step.Status.CANCELLED if stopped else Step.Status.FAILED if failed else Step.Status.SUCCEEDED,
        finished_at=timezone.now(),
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        usage_estimated=usage.estimated,
        cost_usd=cost,
        error_code=ending.code if ending else "",
        error_message=ending.message if ending else "",
    )


def _message_status(ending: Ending | None) -> str:
    if ending is None:
        return ThreadMessage.Status.COMPLETE
    return ThreadMessage.Status.STOPPED if ending.status == RunStatus.CANCELLED else ThreadMessage.Status.FAILED
