"""A model call with its attempts: tried again only while nothing of the answer has been seen."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.chat import ChatModel, Reply
from engine.errors import ModelError
from engine.events import AttemptFailed, ReasoningDelta, TextDelta
from engine.limits import Limits
from engine.spec import RunSpec
from engine.transcript import Message

if TYPE_CHECKING:
    from engine.tools import Tool

LONGEST_WAIT = 60.0
"""Seconds. A provider that asks for more has its sentence shown instead: the person decides."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The call's reply and the number of the attempt, from 1, that gave it."""

    reply: Reply
    attempt: int


Pause = Callable[[float], Awaitable[object]]
"""Waits for so many seconds, or less."""


async def call_model(
    model: ChatModel,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    spec: RunSpec,
    limits: Limits,
    pause: Pause = asyncio.sleep,
) -> AsyncGenerator[TextDelta | ReasoningDelta | AttemptFailed | Answered, None]:
    """Deltas, failed attempts, and at last the Answered. Raises the ModelError of the last attempt."""
    attempt = 1
    while True:
        seen = False
        try:
            async with aclosing(model.stream(messages, tools, spec, limits)) as stream:
                async for item in stream:
                    if isinstance(item, Reply):
                        yield Answered(item, attempt)
                        return
                    seen = True
                    yield item
        except ModelError as error:
            wait = wait_before(attempt + 1, error)
            if seen or not error.retryable or attempt >= limits.attempts or wait > LONGEST_WAIT:
                raise
            failed = AttemptFailed(error, attempt, wait)
        yield failed
        await pause(failed.retry_in)
        attempt += 1


def wait_before(attempt: int, error: ModelError) -> float:
    """Seconds before attempt number `attempt` (2, 3, …): what the provider asks, else 0.5 s doubled each
    time, +- 25 %."""
    if error.retry_after is not None:
        return error.retry_after
    return float(min(8.0, 0.5 * 2 ** (attempt - 2)) * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load only
