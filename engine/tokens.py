"""Token estimates, for when nobody counts for us: before a call, and after one whose server sent no usage."""

from __future__ import annotations

from collections.abc import Iterable

from engine.transcript import Message

MESSAGE_OVERHEAD = 4
"""Tokens a chat template spends around each message (role, separators)."""


def text_tokens(text: str) -> int:
    """Characters / 4, rounded up; UTF-8 bytes, so that scripts with a token per character are not taken for
    free."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def message_tokens(message: Message) -> int:
    calls = sum(text_tokens(call.id + call.name + call.arguments) for call in message.tool_calls)
    return MESSAGE_OVERHEAD + text_tokens(message.content) + calls


def messages_tokens(messages: Iterable[Message]) -> int:
    return sum(message_tokens(message) for message in messages)
