"""Zerg as on several machines, every process of which can be made to die: at a point, or at any moment."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.faults.inside import STRUCK
from tests.faults.points import POINTS
from tests.flows.databases import Database
from tests.flows.parts import ROOT, Part, wait_until
from tests.flows.stack import Stack
from zerg_site.launch import ports, services


class Cluster(Stack):
    """A stack with ``webs``, ``workers`` and ``beats`` processes; ``doors`` are the addresses of its webs."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        settings: Mapping[str, str],
        *,
        webs: int = 1,
        workers: int = 2,
        beats: int = 1,
    ) -> None:
        self._faults = folder / "faults"
        super().__init__(folder, database, settings)
        self._faults.mkdir()
        self._counts = {"web": webs, "worker": workers, "beat": beats}
        self._listeners: list[socket.socket] = []
        self._checker: subprocess.Popen[str] | None = None
        self.doors = [self.base]

    def start(self) -> Cluster:
        super().start()
        for kind, count in self._counts.items():
            for _ in range(count - 1):
                self.add_another(kind)
        for worker in self.of_kind("worker"):
            wait_until(lambda worker=worker: is_at_work(worker), f"{worker.name} is ready")  # type: ignore[misc]
        return self

    def _add(self, name: str, command: tuple[str, ...], passed: tuple[int, ...] = ()) -> None:
        kind = name.partition("-")[0]
        if kind in ("web", "worker", "beat"):
            python, dash_m, *rest = command
            command = (python, dash_m, "tests.faults.inside", str(self._faults), kind, *rest)
        super()._add(name, command, passed)

    def add_another(self, name: str) -> Part:
        if name != "web":
            return super().add_another(name)
        (listener,) = ports.listen("127.0.0.1", 0)
        self._listeners.append(listener)
        self.doors.append(f"http://127.0.0.1:{listener.getsockname()[1]}")
        other = f"web-{len(self.doors)}"
        self._add(other, services.web(listener), passed=(listener.fileno(),))
        self.parts[other].start()
        return self.parts[other]

    def of_kind(self, kind: str) -> list[Part]:
        return [part for name, part in self.parts.items() if name.partition("-")[0] == kind]

    # Faults

    def arm(self, point: str) -> None:
        """The next process that gets to ``point`` dies there."""
        assert point in POINTS
        (self._faults / f"{point}{STRUCK}").unlink(missing_ok=True)
        (self._faults / point).touch()

    def has_struck(self, point: str) -> bool:
        return (self._faults / f"{point}{STRUCK}").exists()

    def until_struck(self, point: str, seconds: float = 20.0) -> None:
        """Waits until a process has died at ``point``."""
        wait_until(lambda: self.has_struck(point), f"a process gets to: {point}", seconds)
        wait_until(lambda: bool(self.dead()), "it is dead")

    def dead(self) -> list[Part]:
        return [part for part in self.parts.values() if not part.is_running]

    def revive(self) -> None:
        """Disarms all points and starts every process that is dead."""
        for left in self._faults.iterdir():
            left.unlink()
        for part in self.parts.values():
            if part.is_running:
                part.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
            else:
                self.restart(part.name)

    def holders(self) -> dict[str, int]:
        """How many runs each worker holds that holds any, by the name of its process."""
        pids = {str(part.pid): part.name for part in self.of_kind("worker") if part.is_running}
        held: dict[str, int] = {}
        for (owner,) in self.rows("SELECT lease_owner FROM runs_run WHERE status = 'running'"):
            name = pids.get(owner.split(":")[1]) if owner else None
            if name:
                held[name] = held.get(name, 0) + 1
        return held

    # The end

    def check(self) -> str:
        """What ``zerg_check`` says."""
        if self._checker is None:
            self._checker = subprocess.Popen(
                (sys.executable, "-m", "tests.faults.checker"),
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._checker.stdin is not None
        assert self._checker.stdout is not None
        print(file=self._checker.stdin, flush=True)
        said: str = json.loads(self._checker.stdout.readline())
        return said

    def close(self) -> None:
        """Ends everything at once."""
        if self._checker is not None:
            self._checker.kill()
            self._checker.wait()
        super().close()
        for listener in self._listeners:
            listener.close()


def is_at_work(worker: Part) -> bool:
    """Whether the process that runs now has said that it takes work."""
    return f":{worker.pid}:" in worker.tail(lines=1_000_000)
