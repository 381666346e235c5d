"""The worker's heartbeat: renews its leases, hears what people want of its runs, and finds work whose hint was lost."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings

from common import alive
from runs import recovery, states
from runs.models import Run, RunStatus

if TYPE_CHECKING:
    from runs.worker import Worker

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.4  # a stop reaches the model within a second, also with the bus down
SWEEP_SECONDS = 3.0


async def beat(worker: Worker) -> None:
    """Runs as long as the process."""
    renew_at = 0.0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = time.monotonic()
        try:
            if worker.held():
                await _look(worker, renew=now >= renew_at)
            if now >= renew_at:
                renew_at = now + settings.LEASE_SECONDS / 3
            if now >= worker.sweep_at and not worker.draining:
                worker.sweep_at = now + SWEEP_SECONDS
                await worker.heartbeat(alive.mark, "worker")
                worker.sender.look()
                await sweep(worker)
        except Exception:  # whatever it is: a heart that stops would let every lease of this process run out
            log.warning("A heartbeat failed; trying again", exc_info=True)


async def _look(worker: Worker, *, renew: bool) -> None:
    held, pauses = worker.held(), worker.pauses()
    rows = await worker.heartbeat(_leases, worker.name, held, renew)
    for run_id in held:
        if run_id not in rows:
            worker.abandon(run_id)
            continue
        stop_at, again_at = rows[run_id]
        if stop_at is not None:
            worker.cancel(run_id, "stop")
        elif again_at is None and run_id in pauses:
            # The wait was on the row before it began, so somebody has taken it away since.
            pauses[run_id].set()


def _leases(name: str, held: list[int], renew: bool) -> dict[int, tuple[datetime | None, datetime | None]]:
    """The runs that this worker still holds: when a person asked to stop each, and when its call is made again."""
    mine = Run.objects.filter(pk__in=held, lease_owner=name, status=RunStatus.RUNNING)
    if renew:
        mine.update(lease_expires_at=states.lease_end())
    return {pk: (stop, again) for pk, stop, again in mine.values_list("pk", "cancel_requested_at", "again_at")}


async def sweep(worker: Worker) -> None:
    """Takes care of runs whose worker is gone, and takes up runs that wait, as many as this worker has room for."""
    await worker.heartbeat(recovery.recover_expired)
    if worker.room:
        for run_id in await worker.heartbeat(recovery.runs_waiting, worker.room):
            worker.spawn(run_id)
