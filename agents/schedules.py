"""The door of agents' pages to schedules, which live in a layer above: that layer registers itself here at start."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypedDict

from django.db.models import QuerySet

from accounts.models import User
from agents.models import Agent
from common.prepared import prepared


class DefaultSchedule(TypedDict):
    """Cron text, and the IANA zone that it is read in."""

    expression: str
    timezone: str


Setter = Callable[[Agent, User, str, str], None]
Getter = Callable[[Agent, User], DefaultSchedule | None]

_setter: Setter | None = None
_getter: Getter | None = None


def register(setter: Setter, getter: Getter) -> None:
    """``setter(agent, user, expression, timezone)`` and ``getter(agent, user)`` serve the two functions below."""
    global _setter, _getter
    _setter, _getter = setter, getter


def set_default(agent: Agent, user: User, *, expression: str, timezone: str) -> None:
    """Makes ``expression`` the person's default schedule of the agent; an empty one removes it.

    Raises ZergError, its ``fields`` naming ``schedule`` or ``schedule_timezone``, for text that is no schedule.
    """
    if _setter is not None:
        _setter(agent, user, expression, timezone)


def default_of(agent: Agent, user: User) -> DefaultSchedule | None:
    """The person's default schedule of the agent, or None."""
    return _getter(agent, user) if _getter is not None else None


def give_own_schedules(agents: Collection[Agent], user: User) -> None:
    """Gives agents that ``user`` may see ``own_schedules``: the person's that are on, the next one first."""
    by_agent: dict[int, list[Any]] = {agent.pk: [] for agent in agents}
    for schedule in _own_schedules(user.pk, tuple(by_agent)) if by_agent else []:
        by_agent[schedule.agent_id].append(schedule)
    for agent in agents:
        agent.own_schedules = by_agent[agent.pk]  # type: ignore[attr-defined]


@prepared
def _own_schedules(user_id: Any, agent_ids: Any) -> QuerySet[Any]:
    schedules: Any = Agent._meta.get_field("schedules").related_model
    # Who may see the agents may see them: to ask again would join all agents there are.
    mine: QuerySet[Any] = schedules.objects.filter(owner=user_id, agent__id__in=agent_ids)
    return mine.filter(enabled=True, next_run_at__isnull=False).order_by("next_run_at")
