"""The time zones that people choose from."""

from __future__ import annotations

from zoneinfo import available_timezones

# Cities, which know their clock changes; the rest are old aliases.
ZONES = [
    "UTC",
    *sorted(
        name
        for name in available_timezones()
        if "/" in name and not name.startswith(("Etc/", "posix/", "right/", "US/", "SystemV/"))
    ),
]
