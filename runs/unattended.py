"""What is different about a run that nobody waits for: what the model is told, and the tools it has."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from engine import REPORTING_TOOLS, RunSpec, Tool, ToolContext
from runs.models import Run

ALONE = "You run by yourself: nobody reads along, and nobody can answer a question. Answer with the result itself."
REPORT = (
    "If you could not do what is asked, call report_failure with the reason. "
    "If all went well and there is nothing worth telling, call nothing_new."
)


def instructed(run: Run, spec: RunSpec) -> RunSpec:
    """The instructions with what an unattended run has to know. ``docs/unattended-runs.md`` shows the words."""
    if not run.is_unattended:
        return spec
    words = f"{ALONE} {REPORT}" if spec.supports_tools and run.with_tools else ALONE
    return replace(spec, system="\n\n".join(filter(None, [spec.system.strip(), words])))


def tools_for(run: Run, tools: list[Tool]) -> list[Tool]:
    """The agent's ``tools`` as the run may use them, and those that only unattended runs have."""
    if not run.with_tools:
        return []
    if run.terms.rehearsal:
        tools = [tool if tool.effect == "read" else _stub(tool) for tool in tools]
    return [*tools, *REPORTING_TOOLS] if run.is_unattended else tools


def _stub(tool: Tool) -> Tool:
    """A tool that looks the same and does nothing."""
    return replace(tool, effect="read", handler=partial(_say_what_would_be, tool.name))


async def _say_what_would_be(name: str, arguments: dict[str, Any], context: ToolContext) -> str:
    told = msgspec.json.encode(arguments, enc_hook=str).decode()
    return f"Rehearsal: nothing was done. {name} would have been called with these arguments: {told}"
