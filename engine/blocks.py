"""A history in blocks that stay together: calls are never parted from their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.tokens import messages_tokens
from engine.transcript import Message

INTERRUPTED = "No result: this call was interrupted."


@dataclass(frozen=True, slots=True)
class Block:
    """Messages that stay together: one message, or a message with tool calls and all their results, or
    nothing.

    `size` counts the messages of the history it was made from.
    """

    messages: tuple[Message, ...]
    size: int

    @property
    def is_user(self) -> bool:
        return bool(self.messages) and self.messages[0].role == "user"

    @property
    def tokens(self) -> int:
        return messages_tokens(self.messages)


def blocks_of(messages: Sequence[Message]) -> list[Block]:
    """The history in blocks. A result nobody asked for is left out; a call nobody answered gets a result
    saying so."""
    blocks: list[Block] = []
    position = 0
    while position < len(messages):
        first = messages[position]
        end = position + 1
        if first.tool_calls:
            while end < len(messages) and messages[end].role == "tool":
                end += 1
            blocks.append(Block(_answered(first, messages[position + 1 : end]), end - position))
        elif first.role == "tool":
            blocks.append(Block((), 1))
        else:
            blocks.append(Block((first,), 1))
        position = end
    return blocks


def _answered(asking: Message, results: Sequence[Message]) -> tuple[Message, ...]:
    by_id = {result.tool_call_id: result for result in results}
    return (
        asking,
        *(
            by_id.get(call.id) or Message("tool", INTERRUPTED, tool_call_id=call.id, name=call.name)
            for call in asking.tool_calls
        ),
    )


def newest_turn(blocks: list[Block]) -> int:
    """Index of the block with the newest user message; of the last block when there is none."""
    for index in range(len(blocks) - 1, -1, -1):
        if blocks[index].is_user:
            return index
    return max(len(blocks) - 1, 0)


def tail_calls(history: Sequence[Message]) -> tuple[Message, list[Message]] | None:
    """(message with calls, the results it already has) when the history ends in calls not all answered, else
    None."""
    position = len(history) - 1
    while position >= 0 and (history[position].role == "tool" or history[position].is_summary):
        position -= 1
    if position < 0 or not history[position].tool_calls:
        return None
    asking = history[position]
    results = [message for message in history[position + 1 :] if message.role == "tool"]
    answered = {result.tool_call_id for result in results}
    if all(call.id in answered for call in asking.tool_calls):
        return None
    return asking, results


def round_number(history: Sequence[Message]) -> int:
    """How many messages asked for tools since the newest user message. It stays what it is when a run is resumed."""
    number = 0
    for message in reversed(history):
        if message.role == "user":
            break
        number += bool(message.tool_calls)
    return number
