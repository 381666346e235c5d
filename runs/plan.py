"""What a run needs, read from the rows before its first call: the agent as it is now, its model, the transcript."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import User
from agents.catalog import ModelChoice, choose, ensure_built_in_providers
from agents.models import Agent, Provider
from agents.services import remember_models
from agents.toolbox import tools_of
from common.errors import ZergError
from common.prepared import prepared
from engine import Limits, Message, RunSpec, Tool
from runs import remembering, unattended
from runs.models import Run
from threads.context import spec_of
from threads.models import Thread, ThreadMessage


@dataclass(frozen=True)
class Plan:
    """``spoken`` are the rows of its thread behind the history's messages that are not summaries."""

    choice: ModelChoice
    spec: RunSpec
    history: list[Message]
    spoken: list[ThreadMessage]
    tools: list[Tool]
    limits: Limits
    timezone: str
    base_url: str
    api_key: str


def make_plan(run: Run) -> Plan:
    """Reads it all. Raises ZergError when the run's person may no longer use the agent, or no model is at hand."""
    thread, agent = run.thread, run.thread.agent
    actor = _require_rights(run)
    if run.asked_version is not None:
        run.asked_version.put_on(agent)
    _built_in_providers()
    choice = choose(agent, run.asked_model or None)
    base_url, api_key = choice.provider.endpoint()
    spec = unattended.instructed(run, remembering.bounded(run, _within(run, spec_of(agent, thread, choice))))
    tools = unattended.tools_for(run, tools_of(agent))
    messages, spoken = remembering.told_to(run, spec, tools)
    run.model, run.context_window = choice.name, choice.context_window  # on its row with its first step
    return Plan(
        choice=choice,
        spec=spec,
        history=messages,
        spoken=spoken,
        tools=tools,
        limits=limits(),
        timezone=actor.timezone,
        base_url=base_url,
        api_key=api_key,
    )


@cache
def _built_in_providers() -> None:
    """Makes their rows, once per process: what they are made of are settings."""
    ensure_built_in_providers()


def with_model(run: Run, plan: Plan, name: str) -> Plan:
    """The plan with the model that its provider named first, which is remembered as the provider's default."""
    provider = plan.choice.provider
    remember_models(provider, [name])
    Provider.objects.filter(pk=provider.pk, default_model="").update(default_model=name)
    choice = choose(Agent.objects.get(pk=run.agent_id), name)
    run.model, run.context_window = name, choice.context_window
    return replace(
        plan, choice=choice, spec=_within(run, replace(plan.spec, model=name, context_window=choice.context_window))
    )


def _require_rights(run: Run) -> User:
    """Work that waited has the rights its person has now, not those of the day it was asked for."""
    actor = run.actor
    if actor is None or not actor.is_active or not _may_use(actor.pk, run.thread_id):
        raise ZergError("refused", "The person this run acts for may no longer use this agent, so it was not run.")
    return actor


@prepared
def _may_use(user_id: Any, thread_id: Any) -> QuerySet[Thread, int]:
    rows = Thread.objects.filter(Thread.visible_to(user_id), pk=thread_id, agent__archived_at=None)
    return rows.values_list("pk", flat=True)


def _within(run: Run, spec: RunSpec) -> RunSpec:
    """What a person asked for as the model's window, where that is less."""
    return replace(spec, context_window=min(spec.context_window, run.asked_window or spec.context_window))


def limits() -> Limits:
    """The bounds of model calls, from the settings."""
    return Limits(
        connect=settings.MODEL_TIMEOUT_CONNECT,
        first_byte=settings.MODEL_TIMEOUT_FIRST_BYTE,
        between_chunks=settings.MODEL_TIMEOUT_BETWEEN_CHUNKS,
        total=settings.MODEL_TIMEOUT_TOTAL,
    )
