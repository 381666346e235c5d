"""What happens during a run, declared in one place. `engine.loop.run` yields these, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.errors import ModelError
from engine.transcript import Message, ToolCall

Purpose = Literal["answer", "summary"]
Effect = Literal["read", "idempotent", "unsafe"]
FinishReason = Literal["completed", "max_steps", "empty_output", "reported"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call. `cached_tokens` is a part of `input_tokens`; `estimated` when the server
    sent none."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    estimated: bool


@dataclass(frozen=True, slots=True)
class ModelCallStarted:
    """A model call begins, before anything is sent. `messages` counts what will be sent, the system message
    too."""

    purpose: Purpose
    messages: int
    input_tokens_estimate: int


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The model's thinking so far unseen: all of one network read. Not part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer: all of one network read. Never empty; only calls of purpose 'answer'
    have them."""

    text: str


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """Attempt number `attempt` (from 1) failed before any text; the same call is tried again in `retry_in`
    seconds."""

    error: ModelError
    attempt: int
    retry_in: float


@dataclass(frozen=True, slots=True)
class ModelCallFinished:
    """A model call ended well. `message.content` is exactly the text of its TextDeltas, joined."""

    purpose: Purpose
    message: Message
    reasoning: str
    usage: Usage
    finish_reason: str
    attempt: int


@dataclass(frozen=True, slots=True)
class SummaryWritten:
    """A rolling summary that stands for the first `covers` messages of the history (summaries not
    counted)."""

    text: str
    covers: int


@dataclass(frozen=True, slots=True)
class SummaryFailed:
    """The summary call ended in `error`; the run goes on with the newest messages that fit."""

    error: ModelError


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A tool is about to be called. The call begins only after the consumer asks for the next event. `key` is what
    the tool will find in its context: the same whenever this very call is made again."""

    call: ToolCall
    effect: Effect
    key: str = ""


@dataclass(frozen=True, slots=True)
class ToolCallFinished:
    """A tool's result, as the model will read it. Results come in the order of the calls. `elapsed` in
    seconds."""

    call: ToolCall
    content: str
    is_error: bool
    elapsed: float
    key: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run ended by itself. Always the last event. `reported`: with a tool that ends it, and no answer beside."""

    reason: FinishReason


Event = (
    ModelCallStarted
    | ReasoningDelta
    | TextDelta
    | AttemptFailed
    | ModelCallFinished
    | SummaryWritten
    | SummaryFailed
    | ToolCallStarted
    | ToolCallFinished
    | RunFinished
)
