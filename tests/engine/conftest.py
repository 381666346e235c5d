"""Fixtures for tests of the engine: no Django, no database, a real model server on the loopback."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from engine import (
    ChatModel,
    Event,
    Limits,
    Message,
    ModelError,
    RunSpec,
    TextDelta,
    Tool,
    ToolContext,
    make_client,
    run,
)
from tests.fakellm import FakeLLM

E = TypeVar("E", bound=Event)

KEY = "sk-test-0123456789abcdef"
FAST = Limits(connect=2.0, first_byte=5.0, between_chunks=5.0, total=20.0)


@pytest.fixture(autouse=True)
def no_provider_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)


@dataclass
class Outcome:
    """What a run did: its events, and the error it ended in, if any."""

    events: list[Event] = field(default_factory=list)
    error: ModelError | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        found = self.all(kind)
        assert len(found) == 1, self.events
        return found[0]

    @property
    def failure(self) -> ModelError:
        assert self.error is not None, self.events
        return self.error


Ask = Callable[..., Awaitable[Outcome]]


def spec(**changes: object) -> RunSpec:
    values: dict[str, object] = {"model": "fake-1", "system": "You are a test.", **changes}
    return RunSpec(**values)  # type: ignore[arg-type]


async def collect(
    model: ChatModel,
    history: str | Sequence[Message],
    *,
    tools: Sequence[Tool] = (),
    limits: Limits = FAST,
    context: ToolContext | None = None,
    **changes: object,
) -> Outcome:
    """Runs to the end on `history` (text: one user message) and keeps what happened."""
    outcome = Outcome()
    messages = [Message("user", history)] if isinstance(history, str) else history
    running = run(spec(**changes), messages, model=model, tools=tools, limits=limits, context=context)
    try:
        async with aclosing(running):
            async for event in running:
                outcome.events.append(event)
    except ModelError as error:
        outcome.error = error
    return outcome


@pytest.fixture
async def fake() -> AsyncIterator[FakeLLM]:
    async with FakeLLM() as server:
        yield server


@pytest.fixture
async def model(fake: FakeLLM) -> AsyncIterator[ChatModel]:
    client = make_client(fake.url, KEY)
    yield ChatModel(client, name="fake-1", provider_name="Fakeworks")
    await client.close()


@pytest.fixture
def ask(model: ChatModel) -> Ask:
    async def ask_model(history: str | Sequence[Message], **options: object) -> Outcome:
        return await collect(model, history, **options)  # type: ignore[arg-type]

    return ask_model
