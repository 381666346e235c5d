"""A real model server in a thread, for views that wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from tests.fakellm import FakeLLM

KEY = "sk-right-0123456789"


@pytest.fixture
def model_server() -> Iterator[FakeLLM]:
    """Accepts KEY and no other key."""
    loop = asyncio.new_event_loop()
    runner = threading.Thread(target=loop.run_forever, daemon=True)
    runner.start()
    server = FakeLLM(key=KEY)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    runner.join(10)
    loop.close()
