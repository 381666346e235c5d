"""The run's state machine. No other module sets ``Run.status``.

    queued ──claim──> running ──finish──> succeeded | failed | cancelled
      ^                  │
      └────give_back─────┘        (its worker died; nothing unsafe was under way)

Every change is a conditional update fenced by the lease's epoch, on the database's clock: a row count of 0 means that
somebody else was faster, or that the lease was lost, and then nothing has happened.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models
from django.db.models import Case, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Concat, Now, Right
from django.utils import timezone

from agents.models import PULSE_LENGTH, Agent, AgentVersion
from common.database import commit_without_waiting
from common.prepared import prepared, prepared_update
from runs import notices
from runs.models import ACTIVE, UNFINISHED, Run, RunStatus
from runs.signals import run_ended
from threads.models import Thread, ThreadMessage
from threads.services import change, join_transcript

MAX_ATTEMPTS = 3


class LeaseLost(Exception):
    """This worker no longer holds the run: another one does, or it has ended. Whatever it would write is void."""


class _NothingToClaim(Exception):
    """Undoes the change that a claim had begun."""


def lease_end() -> ExpressionWrapper[Any]:
    """The end of a lease taken now, on the database's clock."""
    return ExpressionWrapper(Now() + timedelta(seconds=settings.LEASE_SECONDS), output_field=models.DateTimeField())


def claim_next(thread_id: int, *, owner: str) -> Run | None:
    """Takes the thread's next queued run for the worker ``owner``; None when nothing waits or a run is active."""
    if not Run.objects.filter(thread=thread_id, status=RunStatus.QUEUED).exists():
        return None
    return _take_next(thread_id, owner)


def claim_beside(run_id: int, *, owner: str) -> Run | None:
    """The same for the thread that this run waits in, or waited."""
    for thread_id in _waited_in(run_id):
        return _take_next(thread_id, owner)
    return None


@prepared
def _waited_in(run_id: Any) -> QuerySet[Run, int]:
    """The thread of a run, if one waits there."""
    beside = Run.objects.filter(pk=run_id, thread__runs__status=RunStatus.QUEUED)
    return beside.values_list("thread", flat=True)[:1]


def _take_next(thread_id: int, owner: str) -> Run | None:
    try:
        with change(thread_id, ring=False) as thread:
            run = _next_in(thread)
            if not _take(run.pk, run.lease_epoch, owner, thread.version):
                raise _NothingToClaim
            _join_input(thread, run)
            _is_at_work(run.agent_id)
            commit_without_waiting()  # a claim that is lost is made again; what it leads to comes after it
    except (_NothingToClaim, IntegrityError):  # one_active_run_per_thread: another worker was faster
        return None
    # What its row holds now, without asking for it; the time only nearly, which is the database's.
    run.status, run.lease_owner, run.note, run.version = RunStatus.RUNNING, owner, "", thread.version
    run.lease_epoch, run.attempt = run.lease_epoch + 1, run.attempt + 1
    run.started_at = run.started_at or timezone.now()
    return run


@prepared_update
def _take(run_id: Any, epoch: Any, owner: Any, version: Any) -> tuple[QuerySet[Run], dict[str, Any]]:
    versions = AgentVersion.objects.filter(agent=OuterRef("agent")).order_by("-number").values("pk")[:1]
    return Run.objects.filter(pk=run_id, status=RunStatus.QUEUED, lease_epoch=epoch), {
        "status": RunStatus.RUNNING,
        "lease_owner": owner,
        "lease_epoch": F("lease_epoch") + 1,
        "lease_expires_at": lease_end(),
        "attempt": F("attempt") + 1,
        "started_at": Coalesce("started_at", Now()),
        "agent_version": Coalesce("asked_version", Subquery(versions)),
        "note": "",
        "version": version,
    }


@prepared_update
def _is_at_work(agent_id: Any) -> tuple[QuerySet[Agent], dict[str, Any]]:
    return Agent.objects.filter(pk=agent_id), {"status": Agent.Status.PROCESSING}


def _next_in(thread: Thread) -> Run:
    """The run whose turn it is, with what a worker needs of it. Raises _NothingToClaim, also while one is active."""
    for run in _first_unfinished(thread.pk):
        if run.status == RunStatus.QUEUED:
            run.thread, thread.agent = thread, run.agent
            return run
    raise _NothingToClaim


@prepared
def _first_unfinished(thread_id: Any) -> QuerySet[Run]:
    unfinished = Run.objects.filter(thread=thread_id, status__in=UNFINISHED)
    # By status: "waiting" and "running" come before "queued".
    return unfinished.select_related("agent", "actor", "input_message").order_by("-status", "position", "id")[:1]


def _join_input(thread: Thread, run: Run) -> None:
    message = run.input_message
    if message and message.status == ThreadMessage.Status.QUEUED:
        join_transcript(thread, message, branches=run.branches)


def fence(run: Run, **fields: Any) -> None:
    """Updates a run that this worker holds. Raises LeaseLost when it holds it no longer."""
    if not _held(run.pk, run.lease_epoch).update(**fields):
        raise _lost(run)


def _held(run_id: Any, epoch: Any) -> QuerySet[Run]:
    return Run.objects.filter(pk=run_id, lease_epoch=epoch, status=RunStatus.RUNNING)


def _lost(run: Run) -> LeaseLost:
    return LeaseLost(f"run {run.pk}, epoch {run.lease_epoch}")


def begin_call(run: Run, version: int) -> None:
    """A call is about to be made: nothing is waited for any more, and the plan's model is on the run's row."""
    if not _begin_call(run.pk, run.lease_epoch, version, run.model, run.context_window):
        raise _lost(run)


@prepared_update
def _begin_call(
    run_id: Any, epoch: Any, version: Any, model: Any, context_window: Any
) -> tuple[QuerySet[Run], dict[str, Any]]:
    values = {"version": version, "note": "", "again_at": None, "model": model, "context_window": context_window}
    return _held(run_id, epoch), values


def finish(run: Run, thread: Thread, *, status: RunStatus, reason: str, code: str = "", message: str = "") -> None:
    """Ends a run that this worker holds; inside ``change``. Raises LeaseLost when it holds it no longer."""
    if not _finish(run.pk, run.lease_epoch, thread.version, status, reason, *_error(status, code, message)):
        raise _lost(run)
    _book(run, thread, status, reason, code, message)


def finish_unheld(run: Run, thread: Thread, *, status: RunStatus, reason: str, message: str = "") -> bool:
    """Ends a run in the queue, or one whose lease is over. False when it was not so any more."""
    fields = _end(thread.version, status, reason, *_error(status, reason, message))
    ended = _unheld(run).update(lease_epoch=F("lease_epoch") + 1, **fields)
    if ended:
        _book(run, thread, status, reason, reason, message)
    return bool(ended)


def give_back(run: Run, thread: Thread, *, note: str) -> bool:
    """Puts a run whose lease is over back at the head of its thread's queue. False when it was not so any more."""
    return bool(
        _unheld(run)
        .filter(status=RunStatus.RUNNING)
        .update(
            status=RunStatus.QUEUED,
            position=Run.Position.HEAD,
            lease_owner="",
            lease_epoch=F("lease_epoch") + 1,
            lease_expires_at=None,
            note=note,
            version=thread.version,
        )
    )


def release(run: Run, thread: Thread, *, note: str) -> None:
    """A worker that shuts down hands a run that it holds back to the queue. Raises LeaseLost."""
    fence(
        run,
        status=RunStatus.QUEUED,
        position=Run.Position.HEAD,
        lease_owner="",
        lease_epoch=F("lease_epoch") + 1,
        lease_expires_at=None,
        # A shutdown is no fault of the run: it does not use up one of its attempts.
        attempt=F("attempt") - 1,
        note=note,
        version=thread.version,
    )


def _unheld(run: Run) -> models.QuerySet[Run]:
    return Run.objects.filter(pk=run.pk, lease_epoch=run.lease_epoch).filter(
        Q(status=RunStatus.QUEUED) | Q(status=RunStatus.RUNNING, lease_expires_at__lt=Now())
    )


@prepared_update
def _finish(
    run_id: Any, epoch: Any, version: Any, status: Any, reason: Any, error_code: Any, error: Any
) -> tuple[QuerySet[Run], dict[str, Any]]:
    return _held(run_id, epoch), _end(version, status, reason, error_code, error)


def _end(version: Any, status: Any, reason: Any, error_code: Any, error: Any) -> dict[str, Any]:
    return {
        "status": status,
        "reason": reason,
        "error_code": error_code,
        "error_message": error,
        "finished_at": Now(),
        "lease_expires_at": None,
        "note": "",
        "version": version,
    }


def _error(status: RunStatus, code: str, message: str) -> tuple[str, str]:
    return (code, message) if status == RunStatus.FAILED else ("", "")


OUTCOME_LETTER = {RunStatus.SUCCEEDED: "s", RunStatus.FAILED: "f", RunStatus.CANCELLED: "c"}


def _book(run: Run, thread: Thread, status: RunStatus, reason: str, code: str, error: str) -> None:
    """Writes the outcome on the agent's row, where lists read it, and for its person, where there is one to tell."""
    # Locked by a statement of its own: of two runs that end at once, the one that waits here sees that the other ended.
    before = next(iter(_locked_agent(run.agent_id, thread.pk)), None)
    if run.terms.rehearsal:  # which is in no figure: the agent is as it was
        _rehearsed(run.agent_id, run.pk)
    else:
        settled = Agent.Status.ERROR if status == RunStatus.FAILED else Agent.Status.IDLE
        _ran(run.agent_id, run.pk, settled.value, OUTCOME_LETTER[status], error if status == RunStatus.FAILED else "")
    run_ended.send(Run, run=run, status=status, reason=reason, message=error)
    if before is None or before.trial:  # whoever tries an agent looks at what it does
        return
    if before.has_notice and status == RunStatus.SUCCEEDED:
        notices.settle_in(thread)
    notices.tell(run, thread, status, code, error)


@prepared_update
def _ran(agent_id: Any, run_id: Any, settled: Any, letter: Any, error: Any) -> tuple[QuerySet[Agent], dict[str, Any]]:
    pulse = Right(Concat("pulse", letter, output_field=models.TextField()), PULSE_LENGTH)
    return Agent.objects.filter(pk=agent_id), {
        **_worked(run_id, settled),
        "pulse": pulse,
        "last_error": error,
    }


@prepared_update
def _rehearsed(agent_id: Any, run_id: Any) -> tuple[QuerySet[Agent], dict[str, Any]]:
    before = Case(When(last_error="", then=Value(Agent.Status.IDLE)), default=Value(Agent.Status.ERROR))
    return Agent.objects.filter(pk=agent_id), _worked(run_id, before)


def _worked(run_id: Any, settled: Any) -> dict[str, Any]:
    """What becomes of an agent whose run has ended: ``settled``, unless another one goes on."""
    others = Run.objects.filter(agent=OuterRef("pk"), status__in=ACTIVE).exclude(pk=run_id)
    goes_on = When(Exists(others), then=Value(Agent.Status.PROCESSING))
    return {"status": Case(goes_on, default=settled, output_field=models.CharField()), "last_run_at": Now()}


@prepared
def _locked_agent(agent_id: Any, thread_id: Any) -> QuerySet[Agent, Any]:
    row = Agent.objects.select_for_update(no_key=True).filter(pk=agent_id)
    told = row.annotate(has_notice=Exists(notices.open_in(thread_id)))
    return told.values_list("trial", "has_notice", named=True)
