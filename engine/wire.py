"""The chat-completions chunk as servers really send it, and putting a reply together from chunks."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.transcript import ToolCall


class FunctionPart(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallPart(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: FunctionPart | None = None


class Delta(msgspec.Struct):
    """Also read from `choices[].message` of a reply that was not streamed."""

    content: str | list[Any] | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: str | None = None
    tool_calls: list[CallPart] | None = None


class Choice(msgspec.Struct):
    index: int = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None


class PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class UsagePart(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    prompt_cache_hit_tokens: int | None = None


class Chunk(msgspec.Struct):
    choices: list[Choice] | None = None
    usage: UsagePart | None = None
    error: Any = None
    object: str | None = None
    message: Any = None


_decoder = msgspec.json.Decoder(Chunk, strict=False)


def decode(data: bytes) -> Chunk:
    """Raises msgspec.DecodeError (or ValidationError, its child) for what is not a chunk."""
    return _decoder.decode(data)


def clean(text: str) -> str:
    """Text without NUL, which PostgreSQL cannot store, and without halves of surrogate pairs, which nothing
    can."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode() if _has_surrogate(text) else text
    return text


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


@dataclass(slots=True)
class _OpenCall:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Assembler:
    """One reply in the making. `add` each chunk, `take` what became readable since the last `take`."""

    def __init__(self) -> None:
        self.finish_reason = ""
        self.usage: UsagePart | None = None
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self._new_text: list[str] = []
        self._new_reasoning: list[str] = []
        self._calls: list[_OpenCall] = []

    def add(self, chunk: Chunk) -> None:
        if chunk.usage is not None:
            self.usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index:
                continue
            part = choice.delta or choice.message
            if part is not None:
                self._add_part(part)
            if choice.finish_reason:
                self.finish_reason = choice.finish_reason

    def take(self) -> tuple[str, str]:
        """(reasoning, text) since the last call, each '' when there was none."""
        reasoning, text = "".join(self._new_reasoning), "".join(self._new_text)
        if reasoning:
            self._new_reasoning.clear()
            self.reasoning.append(reasoning)
        if text:
            self._new_text.clear()
            self.text.append(text)
        return reasoning, text

    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in the order they were opened. Ids the server left out or gave twice are made
        up."""
        taken: set[str] = set()
        calls = []
        for call in self._calls:
            identity = clean(call.id)
            if not identity or identity in taken:
                identity = f"call_{uuid.uuid4().hex[:24]}"
            taken.add(identity)
            arguments = clean("".join(call.arguments)).strip() or "{}"
            calls.append(ToolCall(id=identity, name=clean(call.name) or "unnamed", arguments=arguments))
        return tuple(calls)

    def _add_part(self, part: Delta) -> None:
        thought = part.reasoning_content or part.reasoning
        if thought and isinstance(thought, str):
            self._new_reasoning.append(clean(thought))
        content = part.content or part.refusal
        if isinstance(content, str):
            self._new_text.append(clean(content))
        elif content:
            self._add_pieces(content)
        for call in part.tool_calls or ():
            self._add_call(call)

    def _add_pieces(self, pieces: list[Any]) -> None:
        """Content as a list of typed pieces, as Mistral's reasoning models send it."""
        for piece in pieces:
            if not isinstance(piece, dict):
                continue
            if isinstance(piece.get("text"), str):
                self._new_text.append(clean(piece["text"]))
            thinking = piece.get("thinking")
            for thought in thinking if isinstance(thinking, list) else ():
                if isinstance(thought, dict) and isinstance(thought.get("text"), str):
                    self._new_reasoning.append(clean(thought["text"]))

    def _add_call(self, part: CallPart) -> None:
        name = part.function.name if part.function and part.function.name else ""
        call = self._find_call(part, name)
        call.id = call.id or part.id or ""
        if not call.name:
            call.name = name
        elif name and name != call.name and not call.arguments:
            # A name in pieces. Servers that repeat the whole name in every delta are told apart by equality.
            call.name += name
        arguments = part.function.arguments if part.function else None
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if arguments:
            call.arguments.append(arguments)

    def _find_call(self, part: CallPart, name: str) -> _OpenCall:
        """The call this delta goes on with. By index, as specified; some servers send none, or 0 for every
        call."""
        if part.index is not None:
            for call in reversed(self._calls):
                if call.index == part.index:
                    if part.id and call.id and part.id != call.id and name:
                        break
                    return call
        elif part.id:
            for call in self._calls:
                if call.id == part.id:
                    return call
        elif self._calls and not (name and self._calls[-1].name):
            return self._calls[-1]
        self._calls.append(_OpenCall(index=part.index))
        return self._calls[-1]
