"""Executes a thread's queued runs, in the worker's loop: claim, plan, run the engine, record, next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from django.utils import timezone

import engine
from common.database import DATABASE_AWAY, CommitUnknown
from common.errors import ZergError
from engine import ModelError, ToolContext
from runs import records, recovery, states
from runs.endings import Ending
from runs.models import Run, RunStatus
from runs.plan import Plan, make_plan
from runs.recorder import Recorder
from runs.states import LeaseLost

if TYPE_CHECKING:
    from runs.worker import Worker

log = logging.getLogger(__name__)

DATABASE_LOST = (*DATABASE_AWAY, CommitUnknown)
TIMEOUT_CODES = {"timeout_connect", "timeout_first_byte", "timeout_between_chunks", "timeout_total"}


async def execute(worker: Worker, run_id: int) -> None:
    """Executes the queue of the run's thread until it is empty, somebody else works on it, or the worker drains."""
    claimed = await worker.database(_claim, states.claim_beside, run_id, worker.name)
    while claimed is not None:
        run, plan = claimed
        worker.ring(run.thread_id)
        await worker.guard(run, _perform(worker, run, plan))
        if worker.draining:
            return
        claimed = await worker.database(_claim, states.claim_next, run.thread_id, worker.name)


def _claim(claim: Callable[..., Run | None], where: int, owner: str) -> tuple[Run, Plan | None] | None:
    """Claims a run, and makes its plan in the same journey to the database. None when there is nothing to claim; no
    plan where that fails: it is made once more where failures are dealt with."""
    run = claim(where, owner=owner)
    if run is None:
        return None
    try:
        return run, make_plan(run)
    except Exception:
        log.debug("The plan of run %s could not be made with its claim", run.pk, exc_info=True)
        return run, None


async def _perform(worker: Worker, run: Run, plan: Plan | None) -> None:
    """One run, until it has ended or is no longer this worker's."""
    try:
        await _attempt(worker, run, plan)
    except LeaseLost:
        log.warning("Run %s was taken over by another worker", run.pk)
    except DATABASE_LOST:
        # What was written last may be there or not. As after a crash, the rows say where to go on.
        log.warning("Run %s lost the database; it is taken up again when its lease is over", run.pk, exc_info=True)


async def _attempt(worker: Worker, run: Run, plan: Plan | None) -> None:
    """From the plan to the end. Whatever goes wrong is written where people see it. Raises LeaseLost, DATABASE_LOST."""
    recorder: Recorder | None = None
    try:
        if run.cancel_requested_at is not None:  # while it waited
            await _end(worker, run, None, recovery.STOPPED)
            return
        if plan is None:
            plan = await worker.database(make_plan, run)
        plan = await worker.complete(run, plan)
        recorder = Recorder(
            run,
            choice=plan.choice,
            spoken=plan.spoken,
            database=worker.database,
            sender=worker.publisher,
            texts=worker.texts,
            on_lease_lost=lambda: worker.abandon(run.pk),
        )
        await _converse(worker, plan, recorder)
    except ZergError as error:
        await _end(worker, run, recorder, Ending(RunStatus.FAILED, Run.Reason.REFUSED, error.code, error.message))
    except ModelError as error:
        await _end(worker, run, recorder, _ending_of(error))
    except asyncio.CancelledError:
        await _cancelled(worker, run, recorder)
    except (LeaseLost, *DATABASE_LOST):
        raise
    except Exception:
        await _end(worker, run, recorder, _fault(run))
    finally:
        if recorder is not None:
            recorder.close()


async def _end(worker: Worker, run: Run, recorder: Recorder | None, ending: Ending) -> None:
    """Ends a run before its time."""
    if recorder is not None:
        await recorder.stop_with(ending)
    else:
        await worker.database(records.end, run, ending)
        worker.ring(run.thread_id)


def _fault(run: Run) -> Ending:
    reference = uuid4().hex[:8]
    log.exception("Run %s failed through a fault in Zerg, reference %s", run.pk, reference)
    return Ending(
        RunStatus.FAILED,
        Run.Reason.INTERNAL_ERROR,
        "internal_error",
        f"Something broke here. Retry; if it happens again, report the reference {reference}.",
    )


async def _converse(worker: Worker, plan: Plan, recorder: Recorder) -> None:
    model = worker.model_for(plan)
    context = ToolContext(now=lambda: datetime.now(UTC), timezone=plan.timezone, key=recorder.run.call_key)
    events = engine.run(
        plan.spec,
        plan.history,
        model=model,
        tools=plan.tools,
        limits=plan.limits,
        context=context,
        pause=partial(worker.pause, recorder.run.pk),
    )
    async with aclosing(events):  # a cancel that comes while an event is written must close the connection too
        async for event in events:
            await recorder.handle(event)


async def _cancelled(worker: Worker, run: Run, recorder: Recorder | None) -> None:
    """The task was cancelled: by a person, by the shutdown of this worker, or because the lease is gone."""
    why = worker.why_cancelled(run.pk)
    if why == "stop":
        await _end(worker, run, recorder, recovery.STOPPED)
    elif why == "drain":
        await _hand_over(worker, run, recorder)
    else:
        log.warning("Run %s was abandoned: %s", run.pk, why)


async def _hand_over(worker: Worker, run: Run, recorder: Recorder | None) -> None:
    if recorder is not None:
        await recorder.leave()
    await worker.database(recovery.hand_over, run)


def _ending_of(error: ModelError) -> Ending:
    reason = Run.Reason.TIMEOUT if error.code in TIMEOUT_CODES else Run.Reason.PROVIDER_ERROR
    again_at = timezone.now() + timedelta(seconds=error.retry_after) if error.retry_after is not None else None
    return Ending(RunStatus.FAILED, reason, error.code, error.message, error.detail, again_at)
