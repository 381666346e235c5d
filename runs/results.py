"""The results of tool calls, as rows: what a tool answered, and what stands where an answer will not come."""

from __future__ import annotations

from typing import Any

from runs.models import Run, Step
from threads.models import Thread, ThreadMessage
from threads.services import add_message
from threads.transcript import leaf_below, open_calls

CONFIRMED = "A person confirmed that this was done."
INTERRUPTED = "Interrupted before it answered."
STOPPED = "Stopped before it answered."
NOT_CALLED = "Not called: the run ended before."
MAY_HAVE = " Its effect may have happened."


def add_result(thread: Thread, run: Run, call_id: str, name: str, content: str, **fields: Any) -> ThreadMessage:
    """The row that the model will read as the answer to a call; inside ``change``."""
    return add_message(
        thread,
        role=ThreadMessage.Role.TOOL,
        content=content,
        tool_call_id=call_id,
        name=name,
        run_id=run.pk,
        **{"source": ThreadMessage.Source.TOOL, **fields},
    )


def answer_open_calls(run: Run, thread: Thread, *, stopped: bool, code: str, message: str) -> None:
    """Gives each call that nobody will answer a result that says so, before the run's steps are settled.

    A call without a result would make every later request of this thread invalid.
    """
    if not open_calls(thread):
        return
    begun = dict(
        Step.objects.filter(run=run, kind=Step.Kind.TOOL, status=Step.Status.STARTED).values_list("call_id", "effect")
    )
    if not begun and thread.leaf:
        # A run that was to make these calls again did not come to it: what had become of them before stands.
        thread.leaf_id = leaf_below(thread, thread.leaf)
    for call in open_calls(thread):
        words, why = NOT_CALLED, {}
        if effect := begun.get(call["id"]):
            words = (STOPPED if stopped else INTERRUPTED) + (MAY_HAVE if effect == "unsafe" else "")
            why = {"error_code": code, "error_message": message}
        add_result(thread, run, call["id"], call["name"], words, status=ThreadMessage.Status.FAILED, **why)


def in_doubt(run: Run) -> ThreadMessage | None:
    """The result of the call that may have happened when the run was interrupted, as long as nobody has settled it."""
    if run.reason != Run.Reason.MAY_HAVE_HAPPENED:
        return None
    results = ThreadMessage.objects.filter(thread=run.thread_id, role=ThreadMessage.Role.TOOL)
    doubtful = results.filter(run_id=run.pk, error_code=Run.Reason.MAY_HAVE_HAPPENED).select_related("parent").first()
    if doubtful is None:
        return None
    beside = results.filter(parent=doubtful.parent_id, tool_call_id=doubtful.tool_call_id, pk__gt=doubtful.pk)
    return None if beside.exists() else doubtful
