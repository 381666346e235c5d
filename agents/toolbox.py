"""The tools that agents can be given: those that Zerg has, and those of the operator's own modules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from agents.models import Agent
from engine import BUILTIN_TOOLS, REPORTING_TOOLS, Tool

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What model providers accept as the name of a tool."""


def toolbox(modules: Iterable[str]) -> dict[str, Tool]:
    """Zerg's tools and those found in ``modules``, by name. Raises ImproperlyConfigured, which says what is wrong."""
    found = {tool.name: tool for tool in BUILTIN_TOOLS}
    kept = {tool.name for tool in REPORTING_TOOLS}
    for module in modules:
        for tool in _tools_in(module):
            if tool.name in kept or found.setdefault(tool.name, tool) is not tool:
                raise _refused(module, f"has a tool {tool.name}, and there is one of that name already")
    return found


def _tools_in(module: str) -> list[Tool]:
    try:
        values = vars(import_module(module)).values()
    except Exception as error:  # whatever it is, it is the operator's to mend
        raise _refused(module, f"cannot be imported: {type(error).__name__}: {error}") from error
    tools = [value for value in values if isinstance(value, Tool)]
    if not tools:
        raise _refused(module, "has no tools. A tool is a function under @engine.tool(effect=…)")
    for tool in tools:
        if not NAME.fullmatch(tool.name) or not tool.description:
            raise _refused(module, f"has a tool {tool.name!r}, which needs a short name and a docstring")
        if tool.effect not in ("read", "idempotent", "unsafe"):
            raise _refused(
                module, f"has a tool {tool.name} with the effect {tool.effect!r}: read, idempotent or unsafe"
            )
    return tools


def _refused(module: str, words: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"ZERG_TOOLS names {module}, which {words}.")


TOOLS: dict[str, Tool] = toolbox(settings.TOOL_MODULES)


def tools_of(agent: Agent) -> list[Tool]:
    """The agent's tools, in the toolbox's order; names that no longer exist are left out."""
    return [tool for name, tool in TOOLS.items() if name in agent.tools]
