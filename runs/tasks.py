"""Celery's doors to runs: hints and the clock. Losing any of these tasks loses nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutdown, worker_shutting_down
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import SignInLink
from common import process
from runs import deliveries, worker
from runs.deletion import delete_trials
from runs.models import Notice
from runs.retention import prune_runs

NOTICE_DAYS = 90


@shared_task
def execute(run_id: int) -> None:
    """A run waits. Its thread's queue is executed in the worker's loop; a second delivery finds nothing to claim."""
    worker.take_up(run_id)


@shared_task
def look() -> None:
    """Many runs wait: thousands may be due in one minute, and a hint for each would take longer than to look."""
    worker.sweep_soon()


@shared_task
def deliver() -> None:
    """Something is to be told outside. Each worker's sender looks by itself, too, every few seconds."""
    worker.deliver_soon()


@shared_task
def prune() -> None:
    """Removes what nobody can use any more: sessions, sign-in links and trials that are over, and what was told, in the
    inbox or outside, long ago. And runs that are older than the operator wants to keep."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    SignInLink.objects.filter(expires_at__lt=timezone.now() - timedelta(days=30)).delete()
    delete_trials(timezone.now() - timedelta(days=1))
    Notice.objects.filter(done_at__lt=timezone.now() - timedelta(days=NOTICE_DAYS)).delete()
    deliveries.prune()
    prune_runs()


@worker_init.connect
def _begin(**_: Any) -> None:
    """Not when Celery is ready: that needs the broker, and the heartbeat finds work without it."""
    process.settle()
    worker.start()


@worker_shutting_down.connect
def _end(**_: Any) -> None:
    worker.stop_soon()


@worker_shutdown.connect
def _leave(**_: Any) -> None:
    worker.wait_until_drained()
