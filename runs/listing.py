"""The list of a person's runs: what is wanted of it, and the due times of schedules at which nothing ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Left
from django.http import QueryDict

from accounts.models import User
from agents.models import Agent
from common.paging import Stretch, stretch
from runs.models import Run, RunStatus, Step
from threads.models import ThreadMessage

PER_PAGE = 50
MOST_DUE = 100
"""Beside the runs of a page. All of them are in a list of their own."""
RESULT_CHARS = 300

GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "needs": ("Needs you", (RunStatus.WAITING,)),
    "working": ("Working", (RunStatus.RUNNING,)),
    "queued": ("Queued", (RunStatus.QUEUED,)),
    "done": ("Done", (RunStatus.SUCCEEDED,)),
    "failed": ("Failed", (RunStatus.FAILED,)),
    "stopped": ("Stopped", (RunStatus.CANCELLED,)),
    "due": ("Skipped, missed", ()),
}
NOT_RUN = ("skipped", "missed")


@dataclass(frozen=True)
class Wanted:
    """Which runs: of a group, an agent, what started them, a schedule. None and empty: all."""

    group: str
    trigger: str
    agent_id: int | None
    schedule: Any

    @property
    def is_all(self) -> bool:
        return not (self.group or self.trigger or self.agent_id or self.schedule)


def wanted_in(asked: QueryDict, user: User) -> Wanted:
    """What an address asks for; what it cannot mean counts as nothing."""
    group, trigger = asked.get("status", ""), asked.get("trigger", "")
    schedule = number_in(asked, "schedule")
    return Wanted(
        group if group in GROUPS else "",
        trigger if trigger in Run.Trigger.values else "",
        number_in(asked, "agent"),
        # Schedules live in the layer above, and are reached through the reverse relation.
        _above("schedules").objects.for_user(user).filter(pk=schedule).first() if schedule else None,
    )


def number_in(asked: QueryDict, name: str) -> int | None:
    text = asked.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _above(name: str) -> Any:
    model: Any = Run if name == "occurrences" else Agent
    return model._meta.get_field(name).related_model


def listing(user: User, wanted: Wanted, asked: QueryDict) -> tuple[Stretch[Any], Sequence[Any]]:
    """A stretch of the list, and its rows: runs, with the times at which nothing ran between them."""
    due = _due(user, wanted)
    if wanted.group == "due":
        page: Stretch[Any] = stretch(due, asked, PER_PAGE, by="scheduled_for")
        return page, page.object_list
    runs = Run.objects.for_user(user).filter(agent__trial=False)
    if wanted.group:
        runs = runs.filter(status__in=GROUPS[wanted.group][1])
    if wanted.agent_id:
        runs = runs.filter(agent=wanted.agent_id)
    if wanted.trigger:
        runs = runs.filter(trigger=wanted.trigger)
    if wanted.schedule:
        runs = runs.filter(occurrences__schedule=wanted.schedule)
    page = stretch(runs.only("pk"), asked, PER_PAGE).with_rows(shown_runs)
    if wanted.group or wanted.trigger not in ("", Run.Trigger.SCHEDULE):
        return page, page.object_list
    return page, list(_together(page.object_list, _beside(page, runs, due)))


def _due(user: User, wanted: Wanted) -> QuerySet[Any]:
    """The due times at which nothing ran."""
    rows: QuerySet[Any] = _above("occurrences").objects.for_user(user).filter(outcome__in=NOT_RUN)
    if wanted.agent_id:
        rows = rows.filter(schedule__agent=wanted.agent_id)
    if wanted.schedule:
        rows = rows.filter(schedule=wanted.schedule)
    return rows.select_related("schedule__agent")


def _beside(page: Stretch[Run], runs: QuerySet[Run], due: QuerySet[Any]) -> Iterable[Any]:
    """Those from the times of a page, the newest first: each is on one page."""
    if page.newer and page.object_list:
        above = runs.filter(pk__gt=page.object_list[0].pk).order_by("pk").values("queued_at")[:1]
        due = due.filter(scheduled_for__lte=Subquery(above))
    if page.older and page.object_list:
        due = due.filter(scheduled_for__gt=page.object_list[-1].queued_at)
    return due.order_by("-scheduled_for", "-pk")[:MOST_DUE]


def _together(runs: Iterable[Run], due: Iterable[Any]) -> Iterator[Any]:
    waiting = list(due)
    for run in runs:
        while waiting and waiting[0].scheduled_for > run.queued_at:
            yield waiting.pop(0)
        yield run
    yield from waiting


def shown_runs(ids: list[int]) -> list[Run]:
    """Runs, newest first, each with its agent, its thread, the beginning of its result and the number of its steps, in
    one query. ``told`` is what is said of it."""
    steps = Step.objects.filter(run=OuterRef("pk")).order_by("-index").values("index")[:1]
    rows = (
        Run.objects.filter(pk__in=ids)
        .select_related("agent", "thread", "input_message")
        .only("status", "reason", "trigger", "note", "error_message", "queued_at", "started_at", "finished_at",
              "nothing_new", "cancel_requested_at", "input_tokens", "cost_usd", "agent__name", "thread__title",
              "input_message__seq")
        .annotate(result=Subquery(answers()), step_count=Subquery(steps))
        .order_by("-id")
    )  # fmt: skip
    found: list[Any] = list(rows)
    for run in found:
        run.told = "nothing_new" if run.nothing_new else run.outcome
    return found


def answers() -> QuerySet[ThreadMessage, Any]:
    """The beginning of the last that each run wrote."""
    rows = ThreadMessage.objects.filter(run_id=OuterRef("pk"), role=ThreadMessage.Role.ASSISTANT).exclude(content="")
    return rows.order_by("-seq").values(start=Left("content", RESULT_CHARS))[:1]
