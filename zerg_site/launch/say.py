"""What the launcher tells people: plain lines, flushed at once, and errors of one sentence."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


class LaunchError(Exception):
    """Something a person can put right. Its text is one sentence that says what to do."""


def say(line: str = "") -> None:
    with contextlib.suppress(OSError):  # whoever read it may be gone: that is no reason to stop
        print(line, flush=True)


def complain(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def strong(text: str) -> str:
    """``text`` in bold, where the terminal shows bold and nobody asked for plain output."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if plain else f"\x1b[1m{text}\x1b[0m"


def tail(log: Path, lines: int = 15) -> str:
    """The last ``lines`` lines of a log file, indented; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def near(path: Path, start: Path) -> str:
    """``path`` as a person standing in ``start`` would type it."""
    return str(path.relative_to(start)) if path.is_relative_to(start) and path != start else str(path)
