"""When each step of a run began and how long it took, as the numbers of a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from django.utils import timezone

from runs.models import Run, Step

WIDTH = 1000
"""The drawing's units across: the whole run."""
NARROWEST = 4
LONGEST_IDLE = 0.1
"""Of the run: where nothing was at work for longer, the time is folded."""
FOLD = 40
"""Units that are left of a folded time."""
TICKS = 5


class Span(NamedTuple):
    """Of each step of a run, however many there are: seconds from the run's begin."""

    number: int
    kind: str
    attempt: int
    begin: float
    end: float


class Piece(NamedTuple):
    """A stretch of the axis: seconds from and to, units from and to."""

    begin: float
    end: float
    left: float
    right: float


@dataclass(frozen=True)
class Axis:
    """Where in the drawing a moment is, and which moment a place in it is."""

    pieces: Sequence[Piece]

    def place(self, seconds: float) -> float:
        for begin, end, left, right in self.pieces:
            if seconds <= end:
                return left + (right - left) * (max(seconds - begin, 0) / ((end - begin) or 1))
        return WIDTH

    def moment(self, x: float) -> float:
        for begin, end, left, right in self.pieces:
            if x <= right:
                return begin + (end - begin) * ((x - left) / ((right - left) or 1))
        return self.pieces[-1].end


@dataclass(frozen=True)
class Bar:
    """A step with its place in the drawing. ``seconds`` is how long it took, or has taken so far; ``idle`` how long
    nothing was at work before it, where that is folded. ``is_new_attempt``: another worker began anew with it."""

    step: Step
    x: int
    width: int
    seconds: float
    idle: float | None = None
    is_new_attempt: bool = False


@dataclass(frozen=True)
class Timeline:
    """The bars of some steps of a run. All numbers but places in the drawing are seconds."""

    bars: list[Bar]
    ticks: list[float]
    seconds: float
    waited: float
    to_first_token: float | None
    folds: list[int] = field(default_factory=list)
    """Where what is folded begins, in units."""
    idle_at_end: float | None = None


def spans_of(run: Run) -> list[Span]:
    """All steps, in order. Without their payloads: there may be thousands."""
    begin, end = _begin(run), _end(run)
    rows = run.steps.order_by("index").values_list("index", "kind", "attempt", "started_at", "finished_at")
    return [
        Span(index, kind, attempt, _seconds(begin, started), _seconds(begin, finished or end))
        for index, kind, attempt, started, finished in rows
    ]


def timeline(run: Run, spans: Sequence[Span], steps: Iterable[Step], *, by_order: bool = False) -> Timeline:
    """The drawing of a run and of those of its steps that are shown; ``by_order`` lays them end to end."""
    begin = _begin(run)
    whole = max(_seconds(begin, _end(run)), 0.001)
    idle = {} if by_order else _idle(spans, whole)
    axis = _axis_by_order(spans) if by_order else _axis_by_time(sorted(idle.values()), whole)
    places = {span.number: span for span in spans}
    offsets = _offsets(spans) if by_order else {span.number: span.begin for span in spans}
    before = {span.number: previous for previous, span in pairwise(spans)}
    bars = []
    for step in steps:
        span = places.get(step.index)
        if span is None:  # it has begun since the others were read
            continue
        earlier = before.get(step.index)
        is_new = earlier is not None and earlier.attempt < span.attempt
        bars.append(_bar(step, span, offsets[step.index], axis, idle.get(step.index), is_new_attempt=is_new))
    return Timeline(
        bars,
        [axis.moment(WIDTH * number / (TICKS - 1)) for number in range(TICKS)],
        whole,
        _seconds(run.queued_at, begin),
        _seconds(begin, run.first_token_at) if run.first_token_at else None,
        [round(axis.place(gap[0])) for gap in idle.values()],
        _length(idle.get(AT_END)),
    )


AT_END = 0
"""In place of a step's index: after the last one."""
Gap = tuple[float, float]


def _begin(run: Run) -> datetime:
    return run.started_at or run.queued_at


def _end(run: Run) -> datetime:
    return run.finished_at or timezone.now()


def _seconds(begin: datetime, end: datetime) -> float:
    return max((end - begin).total_seconds(), 0.0)


def _length(gap: Gap | None) -> float | None:
    return gap[1] - gap[0] if gap else None


def _idle(spans: Sequence[Span], whole: float) -> dict[int, Gap]:
    """Long times in which nothing was at work, by the step that ended them."""
    found, busy_until = {}, 0.0
    for span in sorted(spans, key=lambda span: span.begin):
        if span.begin - busy_until > LONGEST_IDLE * whole:
            found[span.number] = (busy_until, span.begin)
        busy_until = max(busy_until, span.end)
    if spans and whole - busy_until > LONGEST_IDLE * whole:
        found[AT_END] = (busy_until, whole)
    return found


def _axis_by_time(gaps: Sequence[Gap], whole: float) -> Axis:
    """The whole run from left to right, in one scale but for what is folded."""
    shown = whole - sum(end - begin for begin, end in gaps)
    scale = (WIDTH - FOLD * len(gaps)) / (shown or 1)
    pieces: list[Piece] = []
    at, x = 0.0, 0.0
    for begin, end in gaps:
        pieces.append(Piece(at, begin, x, x + (begin - at) * scale))
        x = pieces[-1].right
        pieces.append(Piece(begin, end, x, x + FOLD))
        at, x = end, x + FOLD
    return Axis([*pieces, Piece(at, whole, x, WIDTH)])


def _offsets(spans: Sequence[Span]) -> dict[int, float]:
    """Seconds that all steps before each one took."""
    found, at = {}, 0.0
    for span in spans:
        found[span.number] = at
        at += span.end - span.begin
    return found


def _axis_by_order(spans: Sequence[Span]) -> Axis:
    return Axis([Piece(0, max(sum(span.end - span.begin for span in spans), 0.001), 0, WIDTH)])


def _bar(step: Step, span: Span, offset: float, axis: Axis, gap: Gap | None, *, is_new_attempt: bool) -> Bar:
    seconds = span.end - span.begin
    left, right = axis.place(offset), axis.place(offset + seconds)
    width = min(max(round(right - left), NARROWEST), WIDTH)
    return Bar(step, min(round(left), WIDTH - width), width, seconds, _length(gap), is_new_attempt)
