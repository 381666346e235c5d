"""The clock of schedules. It runs in beat's own process: workers may be busy for minutes, the broker may be down.

And the worker's door to what is looked at before runs.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from typing import Any

from celery import shared_task
from celery.signals import beat_init, worker_init
from django.conf import settings
from django.db import close_old_connections

from common import alive, process
from runs import worker
from runs.recovery import recover_expired
from triggers.firing import fire_due
from triggers.outcomes import settle_all
from triggers.retention import prune_occurrences
from triggers.watching.looker import Looker

log = logging.getLogger(__name__)


def tick() -> None:
    """Fires what is due, and finds the runs whose worker is gone: it may have been the only one.

    Several processes may do so at once; that is safe, see ``triggers.firing``.
    """
    alive.mark("beat")
    settle_all()
    fire_due()
    recover_expired()


@shared_task
def prune() -> None:
    """Removes rows of the ledger from long ago."""
    prune_occurrences()


def _run_clock() -> None:
    """Ticks as long as the process lives."""
    process.settle()  # a tick makes thousands of rows
    while True:
        began = time.monotonic()
        close_old_connections()
        try:
            tick()
        except Exception:  # whatever it is (the database restarts): a clock that stops would fire nothing any more
            log.warning("A tick failed; the next one comes soon", exc_info=True)
        close_old_connections()
        time.sleep(max(0.0, settings.TICK_SECONDS - (time.monotonic() - began)))


@beat_init.connect
def _start_clock(**_: Any) -> None:
    threading.Thread(target=_run_clock, name="clock", daemon=True).start()


@functools.cache
def _looker() -> Looker:
    return Looker()


@shared_task
def look() -> None:
    """Something waits for a look. Looking around twice finds nothing more to do."""
    worker.begin(_looker().look_around())


@worker_init.connect
def _keep_looking(**_: Any) -> None:
    """Beside the hints, which need a broker that is up."""
    worker.begin(_looker().keep_looking())
