"""Agents and models as the JSON API shows them (docs/api.md)."""

from __future__ import annotations

from typing import Any

from agents.models import Agent, LanguageModel
from common.serialize import iso, money


def agent_json(agent: Agent) -> dict[str, Any]:
    """An agent; every value is on its own row."""
    return {
        "id": agent.pk,
        "name": agent.name,
        "description": agent.description,
        "system_instructions": agent.system_instructions,
        "task_instructions": agent.task_instructions,
        "model": agent.model,
        "temperature": agent.temperature,
        "max_output_tokens": agent.max_output_tokens,
        "max_steps": agent.max_steps,
        "memory_strategy": agent.memory_strategy,
        "memory_window": agent.memory_window,
        "tools": agent.tools,
        "schedule": agent.schedule,
        "config": agent.config,
        "status": agent.status,
        "last_run_at": iso(agent.last_run_at),
        "next_run_at": iso(agent.next_run_at),
        "last_error": agent.last_error or None,
        "created_at": iso(agent.created_at),
        "updated_at": iso(agent.updated_at),
    }


def model_json(model: LanguageModel) -> dict[str, Any]:
    """A model; select ``provider`` where there are several. Prices are US dollars per million tokens."""
    return {
        "id": model.pk,
        "name": model.name,
        "provider_id": model.provider_id,
        "provider": model.provider.name,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "input_price": money(model.input_price),
        "cached_price": money(model.cached_price),
        "output_price": money(model.output_price),
        "supports_tools": model.supports_tools,
    }
