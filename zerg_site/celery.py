"""Celery: hints that wake a worker, and what recurs. The rows are the truth, so a lost task loses nothing."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zerg_site.settings")
# Celery would have Django check all of the site: every page, and 20 MB of what none but web processes need.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

from django.conf import settings

app = Celery("zerg")
app.conf.update(
    broker_url=settings.REDIS_URL,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # max_retries: a request must not wait for a broker that is down; its hint is lost, and the sweep finds the row.
    broker_transport_options={
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        # A hint that dies with the worker that took it costs seconds. Keeping account of each costs more than a query.
        "ack_emulation": False,
        "max_retries": 0,
    },
    task_publish_retry=False,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_soft_shutdown_timeout=30,
    timezone="UTC",
    enable_utc=True,
    beat_schedule={
        "prune": {"task": "runs.tasks.prune", "schedule": 3600.0, "options": {"expires": 3000}},
        "prune the ledger": {"task": "triggers.tasks.prune", "schedule": 3600.0, "options": {"expires": 3000}},
    },
)
app.autodiscover_tasks()
