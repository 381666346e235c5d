"""The worker's heartbeat: renews its leases, hears of stops, and finds work whose hint was lost."""

from __future__ import annotations

import asyncio
import logging
import time
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
    renew_at = sweep_at = 0.0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = time.monotonic()
        try:
            if worker.held():
                await _look(worker, renew=now >= renew_at)
            if now >= renew_at:
                renew_at = now + settings.LEASE_SECONDS / 3
            if now >= sweep_at and not worker.draining:
                sweep_at = now + SWEEP_SECONDS
                await worker.heartbeat(alive.mark, "worker")
                await _sweep(worker)
        except Exception:  # whatever it is: a heart that stops would let every lease of this process run out
            log.warning("A heartbeat failed; trying again", exc_info=True)


async def _look(worker: Worker, *, renew: bool) -> None:
    held = worker.held()
    rows = await worker.heartbeat(_leases, worker.name, held, renew)
    for run_id in held:
        if run_id not in rows:
            worker.abandon(run_id)
        elif rows[run_id]:
            worker.cancel(run_id, "stop")


def _leases(name: str, held: list[int], renew: bool) -> dict[int, bool]:
    """The runs that this worker still holds, and whether a person asked to stop them."""
    mine = Run.objects.filter(pk__in=held, lease_owner=name, status=RunStatus.RUNNING)
    if renew:
        mine.update(lease_expires_at=states.lease_end())
    return {pk: stop is not None for pk, stop in mine.values_list("pk", "cancel_requested_at")}


async def _sweep(worker: Worker) -> None:
    await worker.heartbeat(recovery.recover_expired)
    for run_id in await worker.heartbeat(recovery.runs_waiting):
        worker.spawn(run_id)
