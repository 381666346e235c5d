"""The agent's loop: plain Python, no Django, no state of its own. See `engine.loop.run`."""

from __future__ import annotations

from engine.builtin import BUILTIN_TOOLS, calculate, current_time
from engine.chat import ChatModel, Reply, make_client
from engine.errors import ErrorCode, ModelError
from engine.events import (
    AttemptFailed,
    Effect,
    Event,
    FinishReason,
    ModelCallFinished,
    ModelCallStarted,
    Purpose,
    ReasoningDelta,
    RunFinished,
    SummaryFailed,
    SummaryWritten,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
    Usage,
)
from engine.limits import Limits
from engine.loop import run
from engine.memory import Measure, fit, measure, needs_summary
from engine.reporting import REPORTING_TOOLS
from engine.spec import MemoryStrategy, RunSpec
from engine.tokens import text_tokens
from engine.tools import Tool, ToolContext, ToolError, ToolResult, tool
from engine.transcript import Message, Role, ToolCall

__all__ = [
    "BUILTIN_TOOLS",
    "REPORTING_TOOLS",
    "AttemptFailed",
    "ChatModel",
    "Effect",
    "ErrorCode",
    "Event",
    "FinishReason",
    "Limits",
    "Measure",
    "MemoryStrategy",
    "Message",
    "ModelCallFinished",
    "ModelCallStarted",
    "ModelError",
    "Purpose",
    "ReasoningDelta",
    "Reply",
    "Role",
    "RunFinished",
    "RunSpec",
    "SummaryFailed",
    "SummaryWritten",
    "TextDelta",
    "Tool",
    "ToolCall",
    "ToolCallFinished",
    "ToolCallStarted",
    "ToolContext",
    "ToolError",
    "ToolResult",
    "Usage",
    "calculate",
    "current_time",
    "fit",
    "make_client",
    "measure",
    "needs_summary",
    "run",
    "text_tokens",
    "tool",
]
