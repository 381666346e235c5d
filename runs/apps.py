from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs"

    def ready(self) -> None:
        from runs import notices
        from threads.reading import was_read

        def settle(user: Any, thread_id: int, seq: int, **_: Any) -> None:
            notices.read(user, thread_id, seq)

        was_read.connect(settle, weak=False, dispatch_uid="notices")
