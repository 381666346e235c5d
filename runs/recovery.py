"""What becomes of a run whose worker is gone: it goes on where that is safe, and says so where it is not."""

from __future__ import annotations

import logging

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from common.prepared import prepared
from runs import states
from runs.endings import Ending
from runs.models import ACTIVE, Run, RunStatus, Step
from runs.records import INTERRUPTED, settle_leftovers, show_failure
from threads.models import Thread
from threads.services import change

log = logging.getLogger(__name__)

LEFT_BEHIND = Ending(RunStatus.FAILED, Run.Reason.WORKER_LOST, Run.Reason.WORKER_LOST, INTERRUPTED)
GIVEN_UP = Ending(
    RunStatus.FAILED,
    Run.Reason.WORKER_LOST,
    "gave_up",
    "Interrupted three times: the worker stopped each time it worked on this. The logs say more. Then retry.",
)
STOPPED = Ending(RunStatus.CANCELLED, Run.Reason.STOPPED_BY_USER)


def recover_expired() -> list[int]:
    """Takes care of every run whose lease is over. Gives the ids of the threads that changed."""
    threads = []
    for run in _expired():
        log.warning("Run %s: the worker %s is gone", run.pk, run.lease_owner)
        _recover(run)
        threads.append(run.thread_id)
    return threads


@prepared
def _expired() -> QuerySet[Run]:
    return Run.objects.filter(status=RunStatus.RUNNING, lease_expires_at__lt=Now())[:200]


def _recover(run: Run) -> None:
    with change(run.thread_id) as thread:
        ending = _verdict(run)
        # Conditional on the lease: when the worker came back in the meantime, nothing below has an effect.
        if ending is LEFT_BEHIND:
            if states.give_back(run, thread, note="The worker was lost; this is taken up again."):
                leave_behind(run, thread)
            return
        if states.finish_unheld(run, thread, status=ending.status, reason=ending.reason, message=ending.message):
            _settle(run, thread, ending)


def _settle(run: Run, thread: Thread, ending: Ending) -> None:
    is_shown = settle_leftovers(run, thread, ending)
    if ending.status == RunStatus.FAILED and not is_shown:
        show_failure(run, thread, ending)


def _verdict(run: Run) -> Ending:
    if run.cancel_requested_at is not None:
        return STOPPED
    if step := unsafe_step(run):
        return may_have_happened(step)
    return GIVEN_UP if run.attempt >= states.MAX_ATTEMPTS else LEFT_BEHIND


def unsafe_step(run: Run) -> Step | None:
    """The call of a tool that changes things and has not answered: one at a time is made."""
    return Step.objects.filter(run=run, kind=Step.Kind.TOOL, status=Step.Status.STARTED, effect="unsafe").first()


def may_have_happened(step: Step) -> Ending:
    """A person has to look what became of the call."""
    reason = Run.Reason.MAY_HAVE_HAPPENED
    words = (
        f"Interrupted while {step.name[:80]} was at work, which changes things: it may have happened. "
        "Look first. Then mark it as done, or retry, which calls it again."
    )
    return Ending(RunStatus.FAILED, reason, reason, words)


def leave_behind(run: Run, thread: Thread) -> None:
    """Settles what the last attempt was writing. Its open calls stay open: the next attempt answers them."""
    settle_leftovers(run, thread, LEFT_BEHIND, answer_calls=False)


def hand_over(run: Run) -> None:
    """A worker that shuts down gives a run that it holds to the next one. Raises LeaseLost."""
    with change(run.thread_id) as thread:
        if step := unsafe_step(run):
            ending = may_have_happened(step)
            _settle(run, thread, ending)
            states.finish(
                run,
                thread,
                status=ending.status,
                reason=ending.reason,
                code=ending.code,
                message=ending.message,
            )
        else:
            states.release(run, thread, note="Zerg was restarted; this goes on in a moment.")
            leave_behind(run, thread)


def runs_waiting(most: int) -> list[int]:
    """The first queued run of each free thread, of the ``most`` runs that wait longest: a hint may have been lost."""
    if not _one_waiting():  # as nearly always, and that is quickly told
        return []
    busy = Run.objects.filter(thread=OuterRef("thread"), status__in=ACTIVE)
    rows = Run.objects.filter(~Exists(busy), status=RunStatus.QUEUED).order_by("queued_at")
    first_of_thread: dict[int, int] = {}
    for run_id, thread_id in rows.values_list("pk", "thread_id")[:most]:
        first_of_thread.setdefault(thread_id, run_id)
    return list(first_of_thread.values())


@prepared
def _one_waiting() -> QuerySet[Run, int]:
    return Run.objects.filter(status=RunStatus.QUEUED).order_by().values_list("pk", flat=True)[:1]
