from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ThreadsConfig(AppConfig):
    name = "threads"

    def ready(self) -> None:
        from threads.search_index import keep_triggers

        post_migrate.connect(keep_triggers, sender=self)
