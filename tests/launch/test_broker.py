from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.launch.tools import wait_for
from zerg_site.launch import broker, tree
from zerg_site.launch.home import Home
from zerg_site.launch.program import spawn

Start = Callable[[broker.Broker, int], int]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "data")
    home.make()
    return home


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a broker as the supervisor does, after so many failures in a row. Returns its process id."""
    processes = []

    def start(made: broker.Broker, failures: int) -> int:
        assert made.program.before_start
        made.program.before_start(failures)
        processes.append(spawn(made.program))
        return processes[-1].pid

    yield start
    for process in processes:
        tree.kill_group(process.pid)
        process.wait()


def test_what_was_queued_survives_kill_9_at_the_same_address(home: Home, start: Start) -> None:
    made = broker.make(home)
    pid = start(made, 0)
    wait_for(made.answers, "the broker answers")
    with redis.Redis.from_url(made.url) as client:
        client.rpush("queue", "hint")

    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not made.answers(), "the broker is gone")
    start(made, 1)

    wait_for(made.answers, "the broker answers again")
    with redis.Redis.from_url(made.url) as client:
        assert client.lrange("queue", 0, -1) == [b"hint"]


def test_it_wants_its_password_and_never_evicts(home: Home, start: Start) -> None:
    made = broker.make(home)
    start(made, 0)
    wait_for(made.answers, "the broker answers")

    with redis.Redis(port=made.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis.from_url(made.url) as client:
        assert client.config_get("maxmemory-policy", "bind", "appendfsync", "save") == {
            "maxmemory-policy": "noeviction",
            "bind": "127.0.0.1",
            "appendfsync": "everysec",
            "save": "",
        }
    assert (home.path / "broker" / "server.conf").stat().st_mode & 0o777 == 0o600


def test_files_it_cannot_read_are_put_aside(home: Home, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    _, flavour = broker.find_server()
    manifest = home.path / "broker" / flavour / "appendonlydir" / "appendonly.aof.manifest"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("not a manifest\n")
    made = broker.make(home)

    start(made, broker.UNREADABLE_AFTER)

    wait_for(made.answers, "the broker answers")
    assert (home.path / "broker" / f"{flavour}.unreadable" / "appendonlydir" / manifest.name).exists()
    assert "nothing is lost" in capsys.readouterr().out
