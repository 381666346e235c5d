"""One process of a stack: started, killed, stopped and watched by the test that owns it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zerg_site.launch import tree

ROOT = Path(__file__).resolve().parents[2]
OPERATORS_OWN = ("ZERG_", "OPENAI_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PG")


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without what its owner set for a Zerg of their own, and with ``settings``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OPERATORS_OWN)}
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20.0, every: float = 0.02) -> None:
    """Asks ``condition`` again and again; fails the test when it does not hold within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(every)


@dataclass
class Part:
    """A program with its log. ``user`` runs it as somebody else, for servers that refuse to run as root."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]
    passed: tuple[int, ...] = ()
    user: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Starts it in a process group of its own; it dies with this process, whatever kills that."""
        assert not self.is_running, f"{self.name} runs already"
        parent = os.getpid()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=self.passed,
                user=self.user,
                start_new_session=True,
                preexec_fn=lambda: tree.die_with(parent),
            )

    def kill(self) -> None:
        """``kill -9``, and waits for the end."""
        if self.process is not None:
            tree.kill_group(self.process.pid)
            self.process.wait(20)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 45.0) -> int:
        """Asks it to end and gives its exit code; fails the test when it has not ended within ``seconds``."""
        assert self.process is not None, f"{self.name} was never started"
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def tail(self, lines: int = 60) -> str:
        """The end of its log, without what our own questions to /readyz left there."""
        if not self.log.exists():
            return ""
        said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([line for line in said if "/readyz" not in line][-lines:])
