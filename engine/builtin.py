"""The tools every agent may have."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from engine.arithmetic import ArithmeticProblem, evaluate
from engine.tools import Tool, ToolContext, ToolError, tool


@tool(effect="read")
def current_time(
    context: ToolContext,
    timezone: Annotated[
        str,
        Field(description="IANA name such as Europe/Berlin. Empty for the user's own zone.", max_length=100),
    ] = "",
) -> str:
    """The current date and time in a time zone."""
    name = timezone.strip() or context.timezone
    try:
        zone = ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise ToolError(f"There is no time zone {name!r}. Use an IANA name such as Europe/Berlin or UTC.") from None
    now = context.now().astimezone(zone)
    return f"{now.isoformat(timespec='seconds')} ({now:%A}, {name})"


@tool(effect="read")
def calculate(
    expression: Annotated[
        str,
        Field(description="For example 2 * (3 + 4) ** 2 / sqrt(2). Operators + - * / // % **.", max_length=1_000),
    ],
) -> str:
    """The value of an arithmetic expression. Knows pi, e, sqrt, log, log2, log10, exp, sin, cos, tan, abs,
    round, min, max, floor and ceil."""
    try:
        return evaluate(expression)
    except ArithmeticProblem as problem:
        raise ToolError(str(problem)) from None


BUILTIN_TOOLS: tuple[Tool, ...] = (current_time, calculate)
