"""The hint that wakes a worker: a run's id. The row is the truth; the sweep finds rows whose hint was lost."""

from __future__ import annotations

import logging

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def wake_worker(run_id: int) -> None:
    """Tells some worker about a queued run. A broker that is down costs seconds, not the run."""
    try:
        current_app.send_task("runs.tasks.execute", (run_id,), retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("The broker is down (%s); the sweep will find run %s", error, run_id)
