"""The hint that wakes a worker: a run's id. The row is the truth; the sweep finds rows whose hint was lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def wake_worker(run_id: int) -> None:
    """Tells some worker about a queued run. A broker that is down costs seconds, not the run."""
    _send("runs.tasks.execute", run_id)


def wake_workers(run_ids: Sequence[int]) -> None:
    """Tells workers about queued runs: of many by one hint, to look for themselves."""
    if len(run_ids) == 1:
        wake_worker(run_ids[0])
    elif run_ids:
        _send("runs.tasks.look")


def wake_sender() -> None:
    """Tells some worker that there is something to deliver."""
    _send("runs.tasks.deliver")


def wake_lookers() -> None:
    """Tells some worker that there is something to look at before runs."""
    _send("triggers.tasks.look")


def _send(task: str, *arguments: int) -> None:
    try:
        current_app.send_task(task, arguments, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("The broker is down (%s); the sweep will find what waits", error)
