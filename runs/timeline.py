"""When each step of a run began and how long it took, as the numbers of a drawing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from runs.models import Run, Step

WIDTH = 1000
"""The drawing's units across: the whole run."""
NARROWEST = 4


@dataclass(frozen=True)
class Bar:
    """A step with its place in the drawing. ``seconds`` is how long it took, or has taken so far."""

    step: Step
    x: int
    width: int
    seconds: float


@dataclass(frozen=True)
class Timeline:
    """The bars of some steps, on an axis that is ``seconds`` long, with labelled ticks ``(x, seconds)``."""

    bars: list[Bar]
    seconds: float
    ticks: list[tuple[int, float]]


def timeline(run: Run, steps: Iterable[Step]) -> Timeline:
    """The drawing of a run that has started."""
    now = timezone.now()
    begin = run.started_at or run.queued_at
    whole = max(((run.finished_at or now) - begin).total_seconds(), 0.001)
    bars = [_bar(step, begin, whole, run.finished_at or now) for step in steps]
    ticks = [(WIDTH * quarter // 4, whole * quarter / 4) for quarter in range(5)]
    return Timeline(bars, whole, ticks)


def _bar(step: Step, begin: datetime, whole: float, end: datetime) -> Bar:
    seconds = max(((step.finished_at or end) - step.started_at).total_seconds(), 0.0)
    offset = max((step.started_at - begin).total_seconds(), 0.0)
    width = min(max(round(WIDTH * seconds / whole), NARROWEST), WIDTH)
    return Bar(step, min(round(WIDTH * offset / whole), WIDTH - width), width, seconds)
