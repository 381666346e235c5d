"""The tools of an agent that runs while nobody reads along: it says itself that it failed, or that nothing is new."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.tools import Tool, ToolError, tool

FAILED = "Reported as failed: "
NOTHING_NEW = "Nothing new"
REASON_CHARS = 300


@tool(effect="read", ends_run=True)
def report_failure(
    reason: Annotated[str, Field(description="In a sentence or two, for the person who finds it later.")],
) -> str:
    """Ends this run as failed. Call it when you could not do what was asked, in place of an answer."""
    if not reason.strip():
        raise ToolError("Say why: the reason is empty.")
    return FAILED + _short(reason)


@tool(effect="read", ends_run=True)
def nothing_new(
    note: Annotated[str, Field(description="What you looked at, if that is worth a few words.")] = "",
) -> str:
    """Ends this run quietly. Call it when all went well and there is nothing worth telling, in place of an answer."""
    return f"{NOTHING_NEW}: {_short(note)}" if note.strip() else f"{NOTHING_NEW}."


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= REASON_CHARS else f"{text[: REASON_CHARS - 1]}…"


REPORTING_TOOLS: tuple[Tool, ...] = (report_failure, nothing_new)
