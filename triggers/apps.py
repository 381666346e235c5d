from __future__ import annotations

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    name = "triggers"

    def ready(self) -> None:
        from agents import schedules
        from runs.signals import run_ended
        from triggers.outcomes import write_down
        from triggers.services import default_schedule, set_default_schedule

        schedules.register(set_default_schedule, default_schedule)
        run_ended.connect(write_down, dispatch_uid="triggers.outcomes")
