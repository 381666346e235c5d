"""The tools that agents can be given."""

from __future__ import annotations

from agents.models import Agent
from engine import Tool
from engine.builtin import calculate, current_time

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (current_time, calculate)}


def tools_of(agent: Agent) -> list[Tool]:
    """The agent's tools, in the toolbox's order; names that no longer exist are left out."""
    return [tool for name, tool in TOOLS.items() if name in agent.tools]
