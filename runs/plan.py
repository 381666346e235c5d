"""What a run needs, read from the rows before its first call: the agent as it is now, its model, the transcript."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings
from django.db.models import Q

from accounts.models import User
from agents.catalog import ModelChoice, choose, ensure_built_in_providers
from agents.models import Agent, Provider
from agents.services import remember_models
from agents.toolbox import tools_of
from common.errors import ZergError
from engine import Limits, Message, RunSpec, Tool
from runs.models import Run
from runs.records import is_left_behind
from threads.models import Thread, ThreadMessage
from threads.transcript import branch, history


@dataclass(frozen=True)
class Plan:
    """``spoken`` are the rows behind the history's messages that are not summaries."""

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
    thread = Thread.objects.select_related("agent", "leaf").get(pk=run.thread_id)
    agent = thread.agent
    actor = _require_rights(run, agent)
    ensure_built_in_providers()
    choice = choose(agent)
    base_url, api_key = choice.provider.endpoint()
    rows = [row for row in branch(thread, thread.leaf_id) if not is_left_behind(row, run.pk)]
    messages, spoken = history(rows)
    Run.objects.filter(pk=run.pk).update(model=choice.name, agent_version=agent.versions.first())
    return Plan(
        choice=choice,
        spec=_spec(agent, thread, choice),
        history=messages,
        spoken=spoken,
        tools=tools_of(agent),
        limits=limits(),
        timezone=actor.timezone,
        base_url=base_url,
        api_key=api_key,
    )


def with_model(run: Run, plan: Plan, name: str) -> Plan:
    """The plan with the model that its provider named first, which is remembered as the provider's default."""
    provider = plan.choice.provider
    remember_models(provider, [name])
    Provider.objects.filter(pk=provider.pk, default_model="").update(default_model=name)
    Run.objects.filter(pk=run.pk).update(model=name)
    choice = choose(Agent.objects.get(pk=run.agent_id), name)
    return replace(plan, choice=choice, spec=replace(plan.spec, model=name, context_window=choice.context_window))


def _require_rights(run: Run, agent: Agent) -> User:
    """Work that waited has the rights its person has now, not those of the day it was asked for."""
    actor = run.actor
    may_run = actor is not None and Agent.objects.for_user(actor).filter(Q(pk=agent.pk), archived_at=None).exists()
    if actor is None or not may_run:
        raise ZergError("refused", "The person this run acts for may no longer use this agent, so it was not run.")
    return actor


def _spec(agent: Agent, thread: Thread, choice: ModelChoice) -> RunSpec:
    return RunSpec(
        model=choice.name,
        system=agent.system_instructions,
        temperature=agent.temperature,
        max_output_tokens=agent.max_output_tokens or (choice.row.max_output_tokens if choice.row else None),
        max_steps=agent.max_steps,
        memory=thread.strategy,  # type: ignore[arg-type]  # the model's choices are the engine's names
        window=agent.memory_window,
        context_window=choice.context_window,
        supports_tools=choice.supports_tools,
    )


def limits() -> Limits:
    """The bounds of model calls, from the settings."""
    return Limits(
        connect=settings.MODEL_TIMEOUT_CONNECT,
        first_byte=settings.MODEL_TIMEOUT_FIRST_BYTE,
        between_chunks=settings.MODEL_TIMEOUT_BETWEEN_CHUNKS,
        total=settings.MODEL_TIMEOUT_TOTAL,
    )
