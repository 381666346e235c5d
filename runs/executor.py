"""Executes a thread's queued runs, in the worker's loop: claim, plan, run the engine, record, next."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import engine
from common.errors import ZergError
from engine import ModelError, ToolContext
from runs import records, recovery, states
from runs.models import Run, RunStatus
from runs.plan import Plan, make_plan
from runs.recorder import Recorder
from runs.records import Ending
from runs.states import LeaseLost

if TYPE_CHECKING:
    from runs.worker import Worker

log = logging.getLogger(__name__)

TIMEOUT_CODES = {"timeout_connect", "timeout_first_byte", "timeout_between_chunks", "timeout_total"}


async def execute(worker: Worker, run_id: int) -> None:
    """Executes the queue of the run's thread until it is empty, somebody else works on it, or the worker drains."""
    thread_id = await worker.database(_thread_of, run_id)
    while thread_id is not None and not worker.draining:
        run = await worker.database(states.claim_next, thread_id, owner=worker.name)
        if run is None:
            return
        worker.ring(thread_id)
        await worker.guard(run, _perform(worker, run))


def _thread_of(run_id: int) -> int | None:
    return Run.objects.filter(pk=run_id).values_list("thread_id", flat=True).first()


async def _perform(worker: Worker, run: Run) -> None:
    """One run, from its plan to its end. Whatever goes wrong is written where people see it."""
    recorder: Recorder | None = None
    try:
        plan = await worker.complete(run, await worker.database(make_plan, run))
        recorder = Recorder(
            run,
            choice=plan.choice,
            spoken=plan.spoken,
            database=worker.database,
            sender=worker.publisher,
            on_lease_lost=lambda: worker.abandon(run.pk),
        )
        await _converse(worker, plan, recorder)
    except ZergError as error:
        await _end(worker, run, recorder, Ending(RunStatus.FAILED, Run.Reason.REFUSED, error.code, error.message))
    except ModelError as error:
        await _end(worker, run, recorder, _ending_of(error))
    except asyncio.CancelledError:
        await _cancelled(worker, run, recorder)
    except LeaseLost:
        log.warning("Run %s was taken over by another worker", run.pk)
    except Exception:
        await _end(worker, run, recorder, _fault(run))


async def _end(worker: Worker, run: Run, recorder: Recorder | None, ending: Ending) -> None:
    """Ends a run before its time."""
    try:
        if recorder is not None:
            await recorder.stop_with(ending)
        else:
            await worker.database(records.end, run, ending)
            worker.ring(run.thread_id)
    except LeaseLost:
        log.warning("Run %s was taken over by another worker", run.pk)


def _fault(run: Run) -> Ending:
    reference = uuid4().hex[:8]
    log.exception("Run %s failed through a fault in Zerg, reference %s", run.pk, reference)
    return Ending(
        RunStatus.FAILED,
        Run.Reason.INTERNAL_ERROR,
        "internal_error",
        f"Something broke inside Zerg while it worked on this. Retry; if it happens again, report {reference}.",
    )


async def _converse(worker: Worker, plan: Plan, recorder: Recorder) -> None:
    model = worker.model_for(plan)
    context = ToolContext(now=lambda: datetime.now(UTC), timezone=plan.timezone)
    events = engine.run(plan.spec, plan.history, model=model, tools=plan.tools, limits=plan.limits, context=context)
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
    try:
        if recorder is not None:
            await recorder.leave()
        await worker.database(recovery.hand_over, run)
    except LeaseLost:
        log.warning("Run %s was taken over by another worker", run.pk)


def _ending_of(error: ModelError) -> Ending:
    reason = Run.Reason.TIMEOUT if error.code in TIMEOUT_CODES else Run.Reason.PROVIDER_ERROR
    return Ending(RunStatus.FAILED, reason, error.code, error.message, error.detail)
