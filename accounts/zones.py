"""The time zones that people choose from."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

# Cities, which know their clock changes; the rest are old aliases.
ZONES = [
    "UTC",
    *sorted(
        name
        for name in available_timezones()
        if "/" in name and not name.startswith(("Etc/", "posix/", "right/", "US/", "SystemV/"))
    ),
]


def zone_of(name: str) -> ZoneInfo:
    """The zone called ``name``; UTC for one that this machine's tables no longer have."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
