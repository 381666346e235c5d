"""What of a thread's history goes to the model: within the context window, the newest always, rounds never
split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from engine.blocks import Block, blocks_of, newest_turn
from engine.errors import ModelError
from engine.request import tool_schema
from engine.spec import RunSpec
from engine.tokens import MESSAGE_OVERHEAD, messages_tokens, text_tokens
from engine.transcript import Message

if TYPE_CHECKING:
    from engine.tools import Tool

SUMMARY_HEADING = "Summary of the conversation so far:"
SHORT_SUMMARY = 1000
"""Tokens of a summary that is written anew for each run: at most, and at most an eighth of the budget."""


def budget(spec: RunSpec, tools: Sequence[Tool] = ()) -> int:
    """Tokens there are for messages: the window less the room for the answer (at most half) and the tools'
    schemas."""
    return spec.context_window - answer_room(spec) - tools_tokens(spec, tools)


def answer_room(spec: RunSpec) -> int:
    """Tokens that are kept for the answer."""
    return min(spec.max_output_tokens or min(1024, spec.context_window // 4), spec.context_window // 2)


def tools_tokens(spec: RunSpec, tools: Sequence[Tool]) -> int:
    if not tools or not spec.supports_tools:
        return 0
    return text_tokens(msgspec.json.encode([tool_schema(tool) for tool in tools]).decode())


@dataclass(frozen=True, slots=True)
class _Chosen:
    """`room`: the tokens of those `there` that the older messages may take; negative when the newest do not fit."""

    system: list[Message]
    older: list[Block]
    newest: list[Block]
    there: int
    room: int


def fit(
    spec: RunSpec, history: Sequence[Message], tools: Sequence[Tool] = (), *, provider: str = "its provider"
) -> list[Message]:
    """The messages to send. Raises ModelError message_too_long when not even the newest turn fits."""
    chosen = _choose(spec, history, tools)
    if chosen.room < 0:
        raise _too_long(spec, provider, chosen.there - chosen.room, chosen.there)
    return [*chosen.system, *(message for block in [*chosen.older, *chosen.newest] for message in block.messages)]


def _choose(spec: RunSpec, history: Sequence[Message], tools: Sequence[Tool]) -> _Chosen:
    plain = [message for message in history if not message.is_summary]
    summary = latest_summary(history) if spec.memory == "summary" else None
    covered = _covered(plain, summary)
    system = _system(spec, summary)
    blocks = blocks_of(plain[covered:])
    turn = newest_turn(blocks)
    older, newest = blocks[:turn], blocks[turn:]
    there = budget(spec, tools)
    room = there - messages_tokens(system) - sum(block.tokens for block in newest)
    if room < 0 and summary is not None:
        room += messages_tokens(system)
        system = _system(spec, None)
        room -= messages_tokens(system)
    kept = _older_that_fit(spec, older, room, sum(block.size for block in newest))
    return _Chosen(system, kept, newest, there, room)


@dataclass(frozen=True, slots=True)
class Measure:
    """What a request is made of, in tokens as they are estimated before a call; `answer` is kept free for it.

    It has the newest `kept` messages of the history, and not the `left_out` before them, whether a summary stands for
    them or not. `folds`: before it the oldest messages are put into a summary.
    """

    window: int
    system: int
    summary: int
    messages: int
    tools: int
    answer: int
    kept: int
    left_out: int
    folds: bool

    @property
    def used(self) -> int:
        return self.system + self.summary + self.messages + self.tools


def measure(spec: RunSpec, history: Sequence[Message], tools: Sequence[Tool] = ()) -> Measure:
    """The measure of the request that will follow when the user says one thing more, not counting that."""
    ahead = [*history, Message("user", "")]
    chosen = _choose(spec, ahead, tools)
    system, kept = messages_tokens(_system(spec, None)), sum(block.size for block in chosen.older)
    return Measure(
        window=spec.context_window,
        system=system,
        summary=messages_tokens(chosen.system) - system,
        messages=sum(block.tokens for block in chosen.older),
        tools=tools_tokens(spec, tools),
        answer=answer_room(spec),
        kept=kept,
        left_out=sum(not message.is_summary for message in history) - kept,
        folds=needs_summary(spec, ahead, tools) is not None,
    )


def _older_that_fit(spec: RunSpec, older: list[Block], room: int, count: int) -> list[Block]:
    if spec.memory == "none":
        return []
    first = len(older)
    for index in range(len(older) - 1, -1, -1):
        room -= older[index].tokens
        count += older[index].size
        if room < 0 or (spec.memory == "window" and count > spec.window):
            break
        first = index
    while first < len(older) and not older[first].is_user:
        first += 1
    return older[first:]


def latest_summary(history: Sequence[Message]) -> Message | None:
    return next((message for message in reversed(history) if message.is_summary), None)


def _covered(plain: Sequence[Message], summary: Message | None) -> int:
    """How many messages the summary stands for; never the newest user message, whatever it claims."""
    newest = next((index for index in range(len(plain) - 1, -1, -1) if plain[index].role == "user"), 0)
    return min(summary.covers, newest) if summary else 0


def _system(spec: RunSpec, summary: Message | None) -> list[Message]:
    # One system message: the templates of many local models refuse a second.
    parts = [spec.system] if spec.system.strip() else []
    if summary is not None:
        parts.append(f"{SUMMARY_HEADING}\n{summary.content}")
    return [Message("system", "\n\n".join(parts))] if parts else []


def _too_long(spec: RunSpec, provider: str, needed: int, there: int) -> ModelError:
    return ModelError(
        "message_too_long",
        f"The newest message is too long for {spec.model} at {provider}: with the agent's instructions it "
        f"needs about {needed:,} "
        f"tokens, and {max(there, 0):,} of its {spec.context_window:,} are free. Shorten it, or choose a "
        f"model with a "
        "larger context window.",
    )


@dataclass(frozen=True, slots=True)
class Folding:
    """What to put into the next summary: the old one, and the messages that follow it up to `covers` in
    all.

    `tokens` is how long the new summary may be.
    """

    previous: str
    messages: tuple[Message, ...]
    covers: int
    tokens: int


def needs_summary(spec: RunSpec, history: Sequence[Message], tools: Sequence[Tool] = ()) -> Folding | None:
    """What to fold, once the part no summary stands for fills more than 75 % of the budget; else None.

    Keeps about the newest half of the budget, and always the newest turn; folds no more than one call can
    read. With `spec.keep_turns` it keeps so many turns, and folds whatever comes before them.
    """
    if spec.memory != "summary":
        return None
    plain = [message for message in history if not message.is_summary]
    summary = latest_summary(history)
    covered = _covered(plain, summary)
    blocks = blocks_of(plain[covered:])
    there = budget(spec, tools)
    if spec.keep_turns is not None:
        length = max(min(SHORT_SUMMARY, there // 8), 64)
        keep = _first_of_turns(blocks, spec.keep_turns)
    else:
        if sum(block.tokens for block in blocks) + messages_tokens(_system(spec, summary)) <= there * 3 // 4:
            return None
        # A fifth for the summary: it, the kept half and the instructions are to stay below the 75 % that begin this.
        length = max(there // 5, 64)
        fixed = messages_tokens(_system(spec, None)) + length + MESSAGE_OVERHEAD
        keep = _first_kept(blocks, max(min(there // 2, there * 3 // 4 - fixed), 0))
    folded = _readable(blocks[:keep], there * 3 // 4 - (text_tokens(summary.content) if summary else 0))
    if folded == 0:
        return None
    taken = blocks[:folded]
    return Folding(
        previous=summary.content if summary else "",
        messages=tuple(message for block in taken for message in block.messages),
        covers=covered + sum(block.size for block in taken),
        tokens=length,
    )


def _first_of_turns(blocks: list[Block], count: int) -> int:
    """Index of the block that the newest `count` turns begin with; 0 where there are no more."""
    starts = [index for index, block in enumerate(blocks) if block.is_user]
    return starts[-count] if 0 < count < len(starts) else 0


def _first_kept(blocks: list[Block], room: int) -> int:
    """Index of the first block to keep: the start of a turn where one is near, never after the newest
    turn's."""
    turn = newest_turn(blocks)
    first = len(blocks)
    while first > 0 and room >= blocks[first - 1].tokens:
        first -= 1
        room -= blocks[first].tokens
    first = min(first, turn)
    while first < turn and not blocks[first].is_user:
        first += 1
    return first


def _readable(blocks: Sequence[Block], room: int) -> int:
    """How many of the blocks to fold in one call of `room` tokens: whole turns, at least one, which is cut to fit."""
    folded = 0
    for index, block in enumerate(blocks):
        room -= block.tokens
        at_end = index + 1 == len(blocks) or blocks[index + 1].is_user
        if room < 0 and folded > 0:
            break
        if at_end:
            folded = index + 1
    return folded


def summary_request(spec: RunSpec, folding: Folding) -> tuple[RunSpec, list[Message]]:
    """The call that folds: its spec (no tools, a bounded answer) and its messages."""
    answer = folding.tokens
    spec = RunSpec(
        model=spec.model,
        system="",
        temperature=spec.temperature,
        max_output_tokens=answer,
        context_window=spec.context_window,
        supports_tools=False,
    )
    instructions = (
        "You keep the memory of a conversation. Write one summary of it: what the user wants, facts, "
        "names, numbers, "
        "decisions, results and open questions, in the language of the conversation. Merge the earlier "
        "summary into "
        f"it. At most {answer // 2} words, no preamble."
    )
    room = (spec.context_window - answer - text_tokens(instructions) - text_tokens(folding.previous) - 64) * 4
    told = _told(folding.messages, max(room, 400))
    previous = f"Earlier summary:\n{folding.previous}\n\n" if folding.previous else ""
    request = f"{previous}Conversation:\n{told}\n\nWrite the summary now."
    return spec, [Message("system", instructions), Message("user", request)]


def bounded_summary(spec: RunSpec, text: str) -> str:
    """The summary, cut where a server let the model write more than it was asked for."""
    allowed = (spec.max_output_tokens or 1024) * 4
    return text.strip().encode("utf-8", "replace")[:allowed].decode("utf-8", "ignore")


def _told(messages: Sequence[Message], chars: int) -> str:
    """The messages as a script, each cut to its share so that all of them fit into `chars` characters."""
    share = max(chars // max(len(messages), 1) - 40, 60)
    spare = sum(max(share - len(message.content), 0) for message in messages)
    long = sum(1 for message in messages if len(message.content) > share)
    limit = share + (spare // long if long else 0)
    lines = []
    for message in messages:
        text = message.content if len(message.content) <= limit else f"{message.content[:limit]} […]"
        calls = ", ".join(f"{call.name}({call.arguments[:200]})" for call in message.tool_calls)
        who = f"{message.role} {message.name}".strip()
        lines.append(f"{who}: {text}" + (f" [calls {calls}]" if calls else ""))
    return "\n".join(lines)
