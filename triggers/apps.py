from __future__ import annotations

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    name = "triggers"

    def ready(self) -> None:
        from agents import schedules
        from triggers.services import default_schedule, set_default_schedule

        schedules.register(set_default_schedule, default_schedule)
