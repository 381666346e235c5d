"""The tiny offline model that comes along: a real one, asked over the whole way."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.flows.databases import Database
from tests.flows.invariants import invariants
from tests.flows.marks import on_sqlite_only
from tests.flows.parts import wait_until
from tests.flows.people import people_of
from tests.flows.stack import Stack
from zerg_site.launch.local_model import BUNDLED_ALIAS, chosen_model
from zerg_site.launch.ports import quiet_port

LOADED = 90.0
"""Seconds, on a busy machine."""
ANSWERED = 120.0


class LocalStack(Stack):
    """Zerg as ``./zerg up`` runs it for somebody who has no key: the local model is the only one."""

    def _start_broker_and_model(self) -> None:
        port = quiet_port()
        self._settings["ZERG_LOCAL_MODEL_URL"] = f"http://127.0.0.1:{port}/v1"
        self._add("broker", self._broker.program.command)
        self._add("model", chosen_model().command(port))
        self.start_broker()
        self.parts["model"].start()
        wait_until(lambda: _has_loaded(port), "the model is loaded", LOADED, every=0.1)


def _has_loaded(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def local(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = LocalStack(tmp_path_factory.mktemp("local"), database).start()
    yield running
    running.close()


@on_sqlite_only
async def test_the_local_model_says_hello_and_its_text_arrives_as_it_is_written(local: Stack) -> None:
    async with people_of(local) as (owner, _):
        agent = await owner.agent(model=BUNDLED_ALIAS, max_output_tokens=40)
        thread = await owner.thread(agent)
        async with owner.socket(thread) as socket:
            await socket.frame("thread_history")
            message = await owner.say(thread, "Say hello to Ada.")
            run = await socket.run_ended(message["run_id"], ANSWERED)
        (answer,) = await owner.answers(run["id"], thread)
        models = await owner.get("/api/models")

    assert (run["status"], run["model"], run["error"]) == ("succeeded", BUNDLED_ALIAS, None)
    assert len(socket.reader.of("stream_chunk")) > 1
    assert answer["content"].strip()
    assert socket.reader.texts[answer["id"]] == answer["content"]
    assert 0 < answer["usage"]["output_tokens"] <= 40
    assert answer["usage"]["input_tokens"] > 0
    assert not answer["usage"]["estimated"]
    assert [(model["name"], model["supports_tools"]) for model in models][-1:] == [(BUNDLED_ALIAS, False)]
    assert answer["cost_usd"] is not None
    assert float(answer["cost_usd"]) == 0
    invariants(local)
