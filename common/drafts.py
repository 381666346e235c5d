"""What is being written is kept for its writer's other browsers. The newest wins, by the clock of who types.

What must not come back is overwritten by something empty, not deleted: what was typed before that may still be on its
way here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

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
