"""The Django admin under Zerg's own name, and the Celery app that tasks bind to."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class ZergAdminConfig(SimpleAdminConfig):
    """The admin's modules are found by ``zerg_site.urls``: only web processes need them, and what they need."""

    default_site = "zerg_site.admin.ZergAdminSite"

    def ready(self) -> None:
        super().ready()
        # Not in zerg_site/__init__: the supervisor imports that package and needs no Celery.
        from zerg_site import celery  # noqa: F401
