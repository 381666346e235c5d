"""A run's messages and tools as the body of a chat-completions request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.spec import RunSpec
from engine.transcript import Message, ToolCall

if TYPE_CHECKING:
    from engine.tools import Tool


def request_body(messages: Sequence[Message], tools: Sequence[Tool], spec: RunSpec) -> dict[str, Any]:
    body: dict[str, Any] = {"model": spec.model}
    if spec.supports_tools:
        body["messages"] = [_encode(message) for message in messages]
        if tools:
            body["tools"] = [tool_schema(tool) for tool in tools]
    else:
        body["messages"] = [encoded for message in messages for encoded in _encode_as_text(message)]
    if spec.temperature is not None:
        body["temperature"] = spec.temperature
    if spec.max_output_tokens is not None:
        body["max_tokens"] = spec.max_output_tokens
    return body


def tool_schema(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _encode(message: Message) -> dict[str, Any]:
    encoded: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "tool":
        encoded["tool_call_id"] = message.tool_call_id
    elif message.tool_calls:
        encoded["content"] = message.content or None
        encoded["tool_calls"] = [_encode_call(call) for call in message.tool_calls]
    return encoded


def _encode_call(call: ToolCall) -> dict[str, Any]:
    try:
        parsed = json.loads(call.arguments)
    except (ValueError, RecursionError):
        parsed = None
    # Servers parse what we hand back; one malformed call in the history would make every later request fail.
    # The result that follows tells the model what was wrong.
    arguments = call.arguments if isinstance(parsed, dict) else "{}"
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _encode_as_text(message: Message) -> list[dict[str, Any]]:
    """For a model without tools that goes on with a thread that has them: the rounds as words."""
    if message.role == "tool":
        return [{"role": "user", "content": f"[result of {message.name or 'a tool'}] {message.content}"}]
    if message.tool_calls:
        calls = "\n".join(f"[asked for {call.name} {call.arguments}]" for call in message.tool_calls)
        return [{"role": "assistant", "content": f"{message.content}\n{calls}".strip()}]
    return [{"role": message.role, "content": message.content}]
