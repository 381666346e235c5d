from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from common import alive
from tests.launch.tools import wait_for
from zerg_site.launch import broker, tree
from zerg_site.launch.home import Home
from zerg_site.launch.program import spawn


@pytest.fixture
def redis(settings: Any, tmp_path: Path) -> Iterator[None]:
    """A real broker of its own."""
    home = Home(tmp_path / "data")
    home.make()
    made = broker.make(home)
    assert made.program.before_start
    made.program.before_start(0)
    process = spawn(made.program)
    wait_for(made.answers, "the broker answers")
    settings.REDIS_URL = made.url
    alive._client.cache_clear()
    yield
    alive._client.cache_clear()
    tree.kill_group(process.pid)
    process.wait()


@pytest.fixture
def no_redis(settings: Any) -> Iterator[None]:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    alive._client.cache_clear()
    yield
    alive._client.cache_clear()


def test_the_web_process_says_that_it_is_alive_whatever_else_is_down(client: Client, no_redis: None) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.django_db
def test_ready_means_every_part_is_there(client: Client, redis: None) -> None:
    alive.mark("worker")
    alive.mark("beat")
    answer = client.get("/readyz")
    parts = {"database": "ok", "bus": "ok", "worker": "ok", "beat": "ok"}
    assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "ok", "parts": parts})


@pytest.mark.django_db
def test_the_part_that_is_down_is_named(client: Client, redis: None) -> None:
    alive.mark("beat")
    answer = client.get("/readyz")
    parts = json.loads(answer.content)["parts"]
    assert answer.status_code == 503
    assert parts["beat"] == "ok"
    assert "the worker was not heard of" in parts["worker"]


@pytest.mark.django_db
def test_without_the_bus_the_others_are_unknown_and_the_answer_is_quick(client: Client, no_redis: None) -> None:
    alive.mark("worker")
    answer = client.get("/readyz")
    parts = json.loads(answer.content)["parts"]
    assert answer.status_code == 503
    assert parts["database"] == "ok"
    assert parts["bus"].startswith("down")
    assert parts["worker"].startswith("unknown")


def test_a_slow_beat_is_waited_for(settings: Any) -> None:
    assert (alive.life_of("worker"), alive.life_of("beat")) == (15, 15)
    settings.TICK_SECONDS = 60.0
    assert (alive.life_of("worker"), alive.life_of("beat")) == (15, 180)
