"""The points at which a process of Zerg can be made to kill itself. The product knows nothing of them.

A point is the moment before or after a function. ``tests.faults.inside`` wraps those functions in the processes
that tests start, and in no others: a Zerg that is started in any other way has no fault hook to leave on by mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["web", "worker", "beat"]
UPDATE = "django.db.models.query:QuerySet.update"


@dataclass(frozen=True)
class Point:
    """In the processes of ``roles``. ``place`` is ``module:name`` of a plain function or method; ``within`` another one
    that must be at work then."""

    roles: tuple[Role, ...]
    when: Literal["before", "after"]
    place: str
    within: str = ""


POINTS = {
    # A run, in the order in which it passes them. What a transaction has begun is gone with the process.
    "claimed": Point(("worker",), "before", "runs.plan:make_plan"),
    "answer begun": Point(("worker",), "after", "runs.records:begin_answer"),
    "first token": Point(("worker",), "after", "runs.live_text:LiveTexts.add"),
    "before a checkpoint": Point(("worker",), "before", "runs.checkpoints:checkpoint"),
    "in a checkpoint": Point(("worker",), "after", UPDATE, within="runs.checkpoints:checkpoint"),
    "after a checkpoint": Point(("worker",), "after", "runs.checkpoints:checkpoint"),
    "before the answer is settled": Point(("worker",), "before", "runs.records:settle_answer"),
    "while the answer is settled": Point(
        ("worker",), "after", "runs.states:fence", within="runs.records:settle_answer"
    ),
    "answer settled": Point(("worker",), "after", "runs.records:settle_answer"),
    # With tools.
    "tool begun": Point(("worker",), "after", "runs.records:begin_tool"),
    "before the tool is settled": Point(("worker",), "before", "runs.records:settle_tool"),
    "while the tool is settled": Point(("worker",), "after", "runs.states:fence", within="runs.records:settle_tool"),
    "tool settled": Point(("worker",), "after", "runs.records:settle_tool"),
    # While another one's run is given back, or this one's own is handed over.
    "giving back": Point(("worker", "beat"), "after", "runs.states:give_back"),
    "before handing over": Point(("worker",), "before", "runs.recovery:hand_over"),
    "handing over": Point(("worker",), "after", "runs.states:release"),
    # The clock's work.
    "firing": Point(("beat",), "after", "runs.services:start_runs", within="triggers.firing:fire_due"),
    "fired": Point(("beat",), "before", "runs.hints:wake_workers", within="triggers.firing:fire_due"),
    # What people ask for.
    "storing a message": Point(("web",), "before", "common.bulk:save_each", within="runs.services:start_run"),
    "message stored": Point(("web",), "before", "runs.hints:wake_workers"),
    "before the answer to a message": Point(("web",), "after", "runs.services:start_run"),
    "stop asked for": Point(("web",), "after", "runs.services:cancel"),
}
