"""How quickly `./zerg up` is ready, and what it costs when nobody does anything."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from bench import machine
from bench.report import Row
from tests.flows.parts import ROOT, clean_environment
from zerg_site.launch.ports import quiet_port

IDLE_SECONDS = 30.0
SETTLES_SECONDS = 5.0


def measure(*, quick: bool) -> list[Row]:
    """Starts twice on a new data directory; the second start is what counts."""
    with tempfile.TemporaryDirectory(prefix="zerg-bench-") as data:
        with _up(data) as (_, _first):
            pass
        with _up(data) as (pid, seconds):
            time.sleep(SETTLES_SECONDS)
            before, began = machine.cpu_seconds(pid), time.monotonic()
            time.sleep(2 if quick else IDLE_SECONDS)
            share = (machine.cpu_seconds(pid) - before) / (time.monotonic() - began)
            memory = machine.memory_mb(pid)
    return [
        Row("second start of ./zerg up, until /readyz", "3 s", f"{seconds:.1f} s", seconds <= 3),
        Row("idle, all processes: of one core", "1 %", f"{share:.1%}", share < 0.01),
        Row("idle, all processes: memory, without the local model", "300 MB", f"{memory:.0f} MB", memory <= 300),
    ]


@contextmanager
def _up(data: str) -> Iterator[tuple[int, float]]:
    """A running Zerg: its process, and the seconds until it was ready."""
    port = quiet_port()
    environment = clean_environment(ZERG_DATA_DIR=data, OPENAI_BASE_URL="http://127.0.0.1:9/v1", TERM="dumb")
    command = [str(ROOT / "zerg"), "up", "--port", str(port), "--no-local-model"]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True) as up:
        try:
            while not _is_ready(port):
                if up.poll() is not None or time.monotonic() > began + 120:
                    raise RuntimeError("./zerg up did not become ready")
                time.sleep(0.02)
            yield up.pid, time.monotonic() - began
        finally:
            os.kill(up.pid, signal.SIGINT)
            up.wait(60)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
