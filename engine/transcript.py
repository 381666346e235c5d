"""What was said: the messages an agent's run reads and adds to. Values only, no storage identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call the model asks for. `arguments` is the model's JSON text, possibly malformed."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the transcript.

    An assistant message may carry `tool_calls`; each is answered by a message of role `tool` whose
    `tool_call_id` is the call's id and whose `name` is the tool's. A rolling summary has role `system`,
    `is_summary` set, and `covers`: how many messages at the start of the history (summaries themselves not
    counted) it stands for.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    is_summary: bool = False
    covers: int = 0
