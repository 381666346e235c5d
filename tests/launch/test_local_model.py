from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.tools import ROOT, wait_for
from zerg_site.launch.local_model import BUNDLED_ALIAS, chosen_model
from zerg_site.launch.ports import quiet_port
from zerg_site.launch.say import LaunchError


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = quiet_port()
    process = subprocess.Popen(chosen_model().command(port), cwd=ROOT)
    yield f"http://127.0.0.1:{port}", process
    process.kill()
    process.wait()


def _loaded(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_the_bundled_model_answers_in_the_openai_protocol(server: tuple[str, subprocess.Popen[bytes]]) -> None:
    address, _ = server
    wait_for(lambda: _loaded(address), "the model is loaded", seconds=60)
    with urllib.request.urlopen(f"{address}/v1/models", timeout=30) as answer:
        assert [model["id"] for model in json.load(answer)["data"]] == [BUNDLED_ALIAS]
    question = {"model": BUNDLED_ALIAS, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    request = urllib.request.Request(
        f"{address}/v1/chat/completions",
        json.dumps({**question, "max_tokens": 12}).encode(),
        {"Content-Type": "application/json"},
    )

    with urllib.request.urlopen(request, timeout=120) as answer:
        events = [line.removeprefix(b"data: ").strip() for line in answer if line.startswith(b"data: ")]

    assert events[-1] == b"[DONE]"
    deltas = [choice["delta"] for event in events[:-1] for choice in json.loads(event)["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas).strip()


def test_it_ends_at_once_on_sigterm(server: tuple[str, subprocess.Popen[bytes]]) -> None:
    address, process = server
    wait_for(lambda: _loaded(address), "the model is loaded", seconds=60)

    process.terminate()

    assert process.wait(5) == 0


def test_another_gguf_file_is_served_under_its_own_name(tmp_path: Path) -> None:
    gguf = tmp_path / "Qwen-0.6B.gguf"
    gguf.touch()

    assert chosen_model(str(gguf)).alias == "Qwen-0.6B"
    with pytest.raises(LaunchError, match="ZERG_LOCAL_GGUF names /nowhere"):
        chosen_model("/nowhere.gguf")
