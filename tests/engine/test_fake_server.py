"""The model server of the tests, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine import ChatModel, make_client
from tests.engine.conftest import KEY, collect
from tests.fakellm.plan import read_parameters

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "tests.fakellm", "--port", "0", "--port-file", str(port_file), "--key", KEY]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    async with asyncio.timeout(20):
        while not port_file.exists():
            assert process.poll() is None
            await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port_file.read_text()}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0


def get(url: str, *, post: bool = False) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST" if post else "GET")) as answer:
        text: str = answer.read().decode()
        return text


async def test_it_records_what_was_asked_and_sent(address: str) -> None:
    client = make_client(f"{address}/v1", KEY)
    model = ChatModel(client, name="fake-1", provider_name="Fakeworks")
    outcome = await collect(model, "[[script: unicode]]")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await collect(model, "[[script: long n=1000 rate=50]]")
    await asyncio.sleep(0.1)
    models = [item.id async for item in client.models.list()]
    await client.close()

    records: list[dict[str, Any]] = json.loads(await asyncio.to_thread(get, f"{address}/_requests"))
    assert await asyncio.to_thread(get, f"{address}/_sent/0") == outcome.text
    assert [record["disconnected"] for record in records] == [False, True]
    assert 3 < records[1]["tokens_sent"] < 40
    assert "authorization" not in {name.lower() for name in records[0]["headers"]}
    assert KEY not in json.dumps(records)
    assert "fake-1" in models
    await asyncio.to_thread(get, f"{address}/_reset", post=True)
    assert json.loads(await asyncio.to_thread(get, f"{address}/_requests")) == []


@pytest.mark.parametrize("key", ["", "bad-key", "another"])
async def test_it_refuses_other_keys(address: str, key: str) -> None:
    client = make_client(f"{address}/v1", key)
    outcome = await collect(ChatModel(client, name="fake-1", provider_name="Fakeworks"), "Hi")
    await client.close()

    assert outcome.failure.code == "refused_key"


def test_parameters_may_be_json_and_quoted() -> None:
    text = 'name=look args={"a": "b c", "d": [1]} message="two \\"words\\"" rate=50'
    assert read_parameters(text) == {
        "name": "look",
        "args": '{"a": "b c", "d": [1]}',
        "message": 'two "words"',
        "rate": "50",
    }
