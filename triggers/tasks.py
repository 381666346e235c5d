"""Celery's door to schedules: the clock."""

from __future__ import annotations

import threading

from celery import shared_task

from common import alive
from triggers.firing import fire_due

_one_at_a_time = threading.Lock()


@shared_task
def tick() -> None:
    """Fires what is due. While a tick of this process is still at it, the next one leaves it to that one.

    Several processes may tick at once; that is safe, see ``triggers.firing``.
    """
    alive.mark("beat")
    if _one_at_a_time.acquire(blocking=False):
        try:
            fire_due()
        finally:
            _one_at_a_time.release()
