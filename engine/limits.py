"""The bounds of a run's calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. `first_byte`, `between_chunks` and `total` count per attempt of a model call, from
    its start; `attempts` is how often a call that failed before its first text is tried in all."""

    connect: float = 5.0
    first_byte: float = 120.0
    between_chunks: float = 60.0
    total: float = 600.0
    attempts: int = 3
    tool_timeout: float = 120.0
    tool_output_chars: int = 20_000
