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
    """The bars of some steps, on an axis that is ``seconds`` long. All numbers but the bars' are seconds."""

    bars: list[Bar]
    seconds: float
    waited: float
    to_first_token: float | None


def timeline(run: Run, steps: Iterable[Step]) -> Timeline:
    """The drawing of a run and of those of its steps that are shown."""
    now = timezone.now()
    begin = run.started_at or run.queued_at
    whole = max(((run.finished_at or now) - begin).total_seconds(), 0.001)
    bars = [_bar(step, begin, whole, run.finished_at or now) for step in steps]
    first = (run.first_token_at - begin).total_seconds() if run.first_token_at else None
    return Timeline(bars, whole, (begin - run.queued_at).total_seconds(), first)


def _bar(step: Step, begin: datetime, whole: float, end: datetime) -> Bar:
    seconds = max(((step.finished_at or end) - step.started_at).total_seconds(), 0.0)
    offset = max((step.started_at - begin).total_seconds(), 0.0)
    width = min(max(round(WIDTH * seconds / whole), NARROWEST), WIDTH)
    return Bar(step, min(round(WIDTH * offset / whole), WIDTH - width), width, seconds)
