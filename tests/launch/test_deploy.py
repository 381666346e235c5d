from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.tools import ROOT, alive, wait_for
from zerg_site.launch import tree
from zerg_site.launch.ports import quiet_port


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "zerg_site.launch", *arguments]


def _environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL")}
    return {**kept, "ZERG_DATA_DIR": str(data), **more}


def _refusal(data: Path, *arguments: str, **more: str) -> str:
    refused = subprocess.run(
        _command(*arguments),
        cwd=ROOT,
        env=_environment(data, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    return refused.stderr


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.mark.parametrize("service", ["web", "worker", "beat"])
def test_a_service_without_a_broker_says_what_to_set(service: str, tmp_path: Path) -> None:
    assert _refusal(tmp_path, service).startswith(f"zerg: {service} needs a broker: set REDIS_URL")


@pytest.mark.parametrize("service", ["web", "worker"])
def test_several_processes_need_a_database_they_can_share(service: str, tmp_path: Path) -> None:
    refusal = _refusal(tmp_path, service, "--processes", "2", REDIS_URL="redis://127.0.0.1:1/0")

    assert refusal.startswith(f"zerg: 2 {service} processes need a shared database: set DATABASE_URL")


@pytest.fixture
def two_webs(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = quiet_port()
    environment = _environment(
        tmp_path, REDIS_URL="redis://127.0.0.1:1/0", DATABASE_URL=f"sqlite:///{tmp_path}/zerg.sqlite3"
    )
    process = subprocess.Popen(_command("web", "--processes", "2", "--port", str(port)), cwd=ROOT, env=environment)
    wait_for(lambda: _healthy(port), "web answers", 60)
    yield process, port
    process.kill()
    process.wait()


def test_two_web_processes_share_a_port_and_stop_together(two_webs: tuple[subprocess.Popen[bytes], int]) -> None:
    process, port = two_webs
    (supervisor,) = tree.children_of(process.pid)
    webs = tree.children_of(supervisor)
    assert len(webs) == 2

    os.kill(webs[0], 9)

    wait_for(lambda: len(set(tree.children_of(supervisor)) - {webs[0]}) == 2, "the killed one is replaced")
    wait_for(lambda: all(_healthy(port) for _ in range(8)), "both answer", 60)
    pids = tree.descendants_of(process.pid)
    process.terminate()
    assert process.wait(30) == 0
    assert [pid for pid in pids if alive(pid)] == []
