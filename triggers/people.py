"""Whom a schedule runs, and on whose behalf, as the clock reads them: a few queries for many schedules."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet

from accounts.models import Membership, User
from agents.models import Agent
from common.prepared import prepared
from triggers.models import Schedule


def with_people(schedules: Collection[Schedule]) -> None:
    """Gives each its ``agent`` and its ``owner``, and ``is_member``: whether that one is in the agent's workspace."""
    if not schedules:
        return
    agents = {agent.pk: agent for agent in _agents(tuple({schedule.agent_id for schedule in schedules}))}
    owners = {owner.pk: owner for owner in _owners(tuple({schedule.owner_id for schedule in schedules}))}
    members = set(_members(tuple(owners), tuple({agent.workspace_id for agent in agents.values()})))
    for schedule in schedules:
        agent, owner = agents[schedule.agent_id], owners[schedule.owner_id]
        schedule._state.fields_cache.update(agent=agent, owner=owner)  # as prefetching does
        schedule.is_member = (owner.pk, agent.workspace_id) in members  # type: ignore[attr-defined]


@prepared
def _agents(ids: Any) -> QuerySet[Agent]:
    return Agent.objects.filter(pk__in=ids).order_by()


@prepared
def _owners(ids: Any) -> QuerySet[User]:
    return User.objects.filter(pk__in=ids).order_by()


@prepared
def _members(owners: Any, workspaces: Any) -> QuerySet[Membership, tuple[int, int]]:
    rows = Membership.objects.filter(user__id__in=owners, workspace__id__in=workspaces).order_by()
    return rows.values_list("user_id", "workspace_id")
