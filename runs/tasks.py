"""Celery's doors to runs: hints and the clock. Losing any of these tasks loses nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutting_down
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import SignInLink
from runs import recovery, worker
from runs.executor import execute as execute_in_loop
from runs.hints import wake_worker


@shared_task
def execute(run_id: int) -> None:
    """A run waits. Executes its thread's queue; a second delivery finds nothing to claim."""
    process = worker.start()
    worker.wait_for(execute_in_loop(process, run_id))


@shared_task
def sweep() -> None:
    """Finds runs whose worker is gone and queued runs whose hint was lost."""
    recovery.recover_expired()
    for run_id in recovery.runs_waiting():
        wake_worker(run_id)


@shared_task
def prune() -> None:
    """Removes what nobody can use any more: sessions and sign-in links that are over."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    SignInLink.objects.filter(expires_at__lt=timezone.now() - timedelta(days=30)).delete()


@worker_init.connect
def _begin(**_: Any) -> None:
    """Not when Celery is ready: that needs the broker, and the heartbeat finds work without it."""
    worker.start()


@worker_shutting_down.connect
def _end(**_: Any) -> None:
    worker.stop_soon()
