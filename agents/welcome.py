"""The first steps of a person, read from what there is: a list that keeps no marks of its own cannot be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.models import User
from agents.catalog import choices_of, providers_for
from agents.models import Agent, Provider
from agents.services import create_agent
from common.errors import ZergError
from common.prepared import prepared

HELLO = "Hello! What can you do for me?"


@dataclass(frozen=True)
class FirstSteps:
    """Where somebody stands. ``provider`` is the first one in use that is not the demo model, ``agent`` the newest."""

    provider: Provider | None
    has_demo: bool
    agent: Agent | None
    has_spoken: bool
    has_schedule: bool

    @property
    def is_connected(self) -> bool:
        """Whether agents speak with a real model, as far as anybody knows."""
        return self.provider is not None and not self.provider.last_error

    @property
    def done(self) -> int:
        """How many of the four steps that everybody takes; signing in is the first."""
        return 1 + self.is_connected + (self.agent is not None) + self.has_spoken

    @property
    def is_done(self) -> bool:
        return self.done == 4


def first_steps(user: User) -> FirstSteps:
    """Where ``user`` stands, in three queries. Of the agent only id and name are known."""
    in_use = providers_for(user.home_workspace().pk)
    first = in_use[0] if in_use else None
    real = first if first and first.kind != Provider.Kind.LOCAL else None
    (row,) = _made_by(user.pk)
    return FirstSteps(
        provider=real,
        has_demo=any(provider.kind == Provider.Kind.LOCAL for provider in in_use),
        agent=Agent(pk=row["agent_id"], name=row["agent_name"]) if row["agent_id"] else None,
        has_spoken=row["has_spoken"],
        has_schedule=row["has_schedule"],
    )


@prepared
def _made_by(user_id: Any) -> QuerySet[User, Any]:
    # Threads and schedules live in layers above and are reached through their reverse relations.
    threads: Any = Agent._meta.get_field("threads").related_model
    schedules: Any = Agent._meta.get_field("schedules").related_model
    mine = {"owner": OuterRef("pk"), "agent__trial": False}
    agents = Agent.objects.filter(Agent.visible_to(user_id), archived_at=None)
    return User.objects.filter(pk=user_id).values(
        agent_id=Subquery(agents.values("pk")[:1]),
        agent_name=Subquery(agents.values("name")[:1]),
        has_spoken=Exists(threads.objects.filter(last_seq__gt=0, **mine)),
        has_schedule=Exists(schedules.objects.filter(**mine)),
    )


def demo_agent(user: User) -> Agent:
    """An agent of the person that speaks with the tiny offline model; one is made where there is none.

    Raises ZergError(``no_provider``) where that model does not run.
    """
    workspace = user.home_workspace()
    if not any(provider.kind == Provider.Kind.LOCAL for provider in providers_for(workspace.pk)):
        raise ZergError("no_provider", "The demo model does not run here. Connect a model instead.")
    agents = list(Agent.objects.for_user(user).filter(workspace=workspace, archived_at=None).order_by("pk"))
    choices = choices_of(agents, workspace.pk)
    for agent in agents:
        if agent.pk in choices and choices[agent.pk].provider.kind == Provider.Kind.LOCAL:
            return agent
    return create_agent(
        workspace=workspace,
        author=user,
        name="Demo",
        description="Speaks with the tiny model on this machine.",
        system_instructions="You are a friendly assistant. Answer in one or two short sentences.",
        model=settings.LOCAL_MODEL_NAME,
    )
