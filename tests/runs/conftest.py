"""A stage on which runs are performed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pytest_django.fixtures import Settings

from tests.fakellm import FakeLLM
from tests.runs.stage import Stage, fake_server

MakeStage = Callable[..., Stage]


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeLLM]:
    with fake_server() as server:
        yield server


@pytest.fixture
def make_stage(fake: FakeLLM, db: None, settings: Settings) -> MakeStage:
    """Makes a stage whose model reads ``window`` tokens."""
    settings.FLUSH_MS = 1
    fake.records.clear()

    def make(window: int = 32_768, *, supports_tools: bool = True) -> Stage:
        return Stage(fake, window=window, supports_tools=supports_tools)

    return make


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage()
