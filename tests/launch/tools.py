"""What the launcher's tests share: real processes, watched with deadlines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Writes its process id into FILE, then waits for ever.
SLEEPER = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(1000)"
# The same, and ignores TERM.
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
# Has two sleepers below it, one of which has left its process group and session. Its own id is in FILE.parent.
PARENT = f"""
import subprocess, sys, time
sleeper = [sys.executable, "-c", {SLEEPER!r}]
subprocess.Popen([*sleeper, sys.argv[1]])
subprocess.Popen([*sleeper, sys.argv[1]], start_new_session=True)
sys.argv[1] += ".parent"
exec({SLEEPER!r})
"""


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """False for a process that has ended, even if nobody has collected it yet."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1] not in ("", "Z")


def numbers(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


class Family:
    """Zerg's own guard and supervisor around small programs: ``programs`` maps a name to its command."""

    def __init__(self, programs: Mapping[str, Sequence[str]], folder: Path, grace: float = 10) -> None:
        listing = json.dumps({name: list(command) for name, command in programs.items()})
        command = [sys.executable, "-m", "tests.launch.family", listing, str(folder), str(grace)]
        self.output = folder / "screen.txt"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)

    def screen(self) -> str:
        return self.output.read_text()

    def supervisor_pid(self) -> int:
        """The process between the front one and the programs."""
        shown = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True)
        pairs = [line.split() for line in shown.stdout.splitlines()]
        (pid,) = [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]
        return pid

    def end(self) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, 9)
        self.process.wait()
