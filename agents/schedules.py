"""The door of agents' pages to schedules, which live in a layer above: that layer registers itself here at start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from django.db.models import Prefetch

from accounts.models import User
from agents.models import Agent


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


def own_schedules(user: User) -> Prefetch[Any]:
    """The person's schedules that are on, as ``agent.own_schedules``: the one that comes first, first."""
    schedules: Any = Agent._meta.get_field("schedules").related_model
    rows = schedules.objects.for_user(user).filter(enabled=True, next_run_at__isnull=False).order_by("next_run_at")
    return Prefetch("schedules", queryset=rows, to_attr="own_schedules")
