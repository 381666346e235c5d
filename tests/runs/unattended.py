"""Runs that a schedule started, as a worker claims and ends them."""

from __future__ import annotations

from typing import Any

from runs import states
from runs.endings import Ending
from runs.models import Run, RunStatus
from runs.records import end
from runs.services import start_runs
from runs.starting import Start
from runs.terms import Terms
from threads.models import Thread, ThreadMessage
from threads.services import add_message, change

DONE = Ending(RunStatus.SUCCEEDED, Run.Reason.COMPLETED)
STOPPED = Ending(RunStatus.CANCELLED, Run.Reason.STOPPED_BY_USER)
BROKEN = Ending(RunStatus.FAILED, Run.Reason.PROVIDER_ERROR, "timeout_total", "It took too long.")


def ran(
    thread: Thread,
    text: str = "Two releases landed.",
    *,
    ending: Ending = DONE,
    schedule_id: int | None = 5,
    webhook_id: int | None = None,
    nothing_new: bool = False,
    **terms: Any,
) -> Run:
    """A run that said ``text``. With ``nothing_new`` its agent has said so by its tool."""
    trigger = Run.Trigger.WEBHOOK if webhook_id else Run.Trigger.SCHEDULE
    start = Start(
        thread.pk, "Look.", thread.owner, trigger, terms=Terms(**terms), schedule_id=schedule_id, webhook_id=webhook_id
    )
    start_runs([start])
    run = states.claim_next(thread.pk, owner="worker")
    assert run is not None
    role, source = ThreadMessage.Role.ASSISTANT, ThreadMessage.Source.AGENT
    with change(thread.pk) as locked:
        if text:
            add_message(locked, role=role, source=source, content=text, run_id=run.pk)
        if nothing_new:
            states.fence(run, nothing_new=True)
    end(run, ending)
    return Run.objects.get(pk=run.pk)
