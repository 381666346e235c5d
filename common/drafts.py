"""What is being written is kept for its writer's other browsers. The newest wins, by the clock of who types."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db import models
from django.utils import timezone

M = TypeVar("M", bound=models.Model)

INSTANT = timedelta(milliseconds=1)
"""What a browser's clock can tell apart."""
LAST_MOMENT = 4 * 10**12
"""Milliseconds since 1970: no clock is as far ahead."""


def moment_of(milliseconds: int | None) -> datetime:
    """The time on a browser's clock; now, where there is none. One that is ahead of ours must not win for ever."""
    now = timezone.now()
    return now if milliseconds is None else min(now, datetime.fromtimestamp(milliseconds / 1000, UTC))


def milliseconds_of(moment: datetime) -> int:
    """The same for browsers."""
    return round(moment.timestamp() * 1000)


def keep_newest(rows: models.QuerySet[M], fresh: M, *, at: datetime, **values: Any) -> None:
    """Writes ``values`` into the one row of ``rows``, unless what is there was changed at ``at`` or later.

    Where there is none yet it becomes ``fresh``. What must not come back is overwritten by something empty, not
    deleted: what was typed before that may still be on its way here.
    """
    if not rows.filter(changed_at__lt=at).update(**values, changed_at=at):
        for name, value in {**values, "changed_at": at}.items():
            setattr(fresh, name, value)
        type(fresh)._default_manager.bulk_create([fresh], ignore_conflicts=True)
