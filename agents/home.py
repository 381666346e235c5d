"""What the home page says: the state of things in a sentence, and the agents in the order of what they need."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db.models import Case, F, OuterRef, Prefetch, QuerySet, Subquery, Value, When

from accounts.models import User
from agents.catalog import providers_for
from agents.models import Agent, Provider

MOST_CARDS = 60
NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


def agents_at_home(user: User) -> QuerySet[Agent]:
    """The person's agents: failed ones first, then those at work, then by last use. Each knows its last failed run
    of this person (``failed_run``, ``failed_code``)."""
    # Runs live in a layer above and are reached through the reverse relation.
    runs: Any = Agent._meta.get_field("runs").related_model
    failed = runs.objects.filter(agent=OuterRef("pk"), thread__owner=user, status="failed").order_by("-id")
    rank = Case(
        When(status=Agent.Status.ERROR, then=Value(0)),
        When(status=Agent.Status.PROCESSING, then=Value(1)),
        default=Value(2),
    )
    return (
        Agent.objects.for_user(user)
        .filter(archived_at=None)
        .annotate(
            rank=rank,
            failed_run=Subquery(failed.values("pk")[:1]),
            failed_code=Subquery(failed.values("error_code")[:1]),
        )
        .order_by("rank", F("last_run_at").desc(nulls_last=True), "-id")
        .prefetch_related(own_schedules(user))
    )


def own_schedules(user: User) -> Prefetch[Any]:
    """The person's schedules that are on, as ``agent.own_schedules``: the one that comes first, first."""
    schedules: Any = Agent._meta.get_field("schedules").related_model
    rows = schedules.objects.for_user(user).filter(enabled=True, next_run_at__isnull=False).order_by("next_run_at")
    return Prefetch("schedules", queryset=rows, to_attr="own_schedules")


def state_in_words(agents: list[Agent]) -> str:
    """The heading of the home page."""
    if not agents:
        return "No agents yet"
    failed = [agent for agent in agents if agent.status == Agent.Status.ERROR]
    working = [agent for agent in agents if agent.status == Agent.Status.PROCESSING]
    if failed:
        return f"{failed[0].name} failed" if len(failed) == 1 else f"{_number(len(failed))} agents failed"
    if working:
        return f"{working[0].name} is working" if len(working) == 1 else f"{_number(len(working))} agents are working"
    return "All quiet"


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def has_only_the_demo_model(user: User) -> bool:
    """True when agents that name no model speak with the local one, or with none at all."""
    first = providers_for(user.home_workspace().pk).first()
    return first is None or first.kind == Provider.Kind.LOCAL


TOLD = (
    "pk", "name", "description", "status", "pulse", "last_run_at", "next_run_at", "schedule", "last_error", "failed_run"
)  # fmt: skip


def fingerprint(agents: list[Agent], *rest: object) -> str:
    """Changes whenever what the page says of ``agents`` does, but for the passing of time."""
    told = [[getattr(agent, name) for name in TOLD] for agent in agents]
    whens = [row.sentence for agent in agents for row in getattr(agent, "own_schedules", [])[:1]]
    return hashlib.sha256(repr((told, whens, rest)).encode()).hexdigest()[:16]
