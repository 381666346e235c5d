"""What the benchmarks stand on: Zerg as it is deployed, its processes measured, and clients in another process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.client import Order, Report, Stream
from tests.flows.databases import Database, Postgres, Sqlite
from tests.flows.parts import ROOT, clean_environment
from tests.flows.stack import Stack

DATABASES = ("sqlite", "postgres")


@contextmanager
def database(name: str) -> Iterator[Database]:
    """A database of that kind, with a durable configuration: what a commit says is on the disk."""
    with tempfile.TemporaryDirectory(prefix="zerg-bench-") as folder:
        made: Database = Sqlite(Path(folder)) if name == "sqlite" else Postgres(Path(folder), durable=True)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def zerg(name: str) -> Iterator[Stack]:
    """All of Zerg on a database of that kind, with the settings it has by itself."""
    with database(name) as made, tempfile.TemporaryDirectory(prefix="zerg-bench-") as folder:
        stack = Stack(Path(folder), made)
        try:
            yield stack.start()
        finally:
            stack.close()


@dataclass(frozen=True)
class Usage:
    """CPU seconds that each part used while something went on, and its memory in MB at the end."""

    cpu: dict[str, float]
    memory: dict[str, float]

    @property
    def cpu_in_all(self) -> float:
        return sum(self.cpu.values())


class Meter:
    """Reads the parts of a stack: Zerg's own processes, the broker, and a database server. Never the model's."""

    def __init__(self, stack: Stack) -> None:
        self._pids = {name: part.pid for name, part in stack.parts.items() if name != "fakellm"}
        if stack.database_pid:
            self._pids["database"] = stack.database_pid
        self._before = self._cpu()

    def _cpu(self) -> dict[str, float]:
        return {name: machine.cpu_seconds(pid) for name, pid in self._pids.items()}

    def read(self) -> Usage:
        """What was used since the meter was made."""
        cpu = {name: seconds - self._before[name] for name, seconds in self._cpu().items()}
        return Usage(cpu, {name: machine.memory_mb(pid) for name, pid in self._pids.items()})


def call(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    """One call of the API, as its owner."""
    headers = {"Authorization": f"Bearer {stack.accounts.token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{stack.base}{path}", data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def new_threads(stack: Stack, count: int) -> list[int]:
    """``count`` empty threads of one new agent."""
    agent = call(stack, "POST", "/api/agents", {"name": "Bench", "system_instructions": "You help."})
    body = {"agent_id": agent["id"], "title": "Bench"}
    return [call(stack, "POST", "/api/threads", body)["id"] for _ in range(count)]


@contextmanager
def client(order: Order) -> Iterator[Callable[[], Report]]:
    """A process of clients that are connected and wait; what is given lets them begin, and gives what they saw."""
    command: Sequence[str] = (sys.executable, "-m", "bench.client")
    with subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(order)) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the clients of a benchmark could not connect")
        yield lambda: _report(*process.communicate("go\n"))


def _report(printed: str, _: str | None) -> Report:
    found = json.loads(printed)
    return Report([Stream(**stream) for stream in found["streams"]], found["seconds"])
