"""A program that is supervised: what to run, where its output goes, and how it is started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zerg_site.launch import tree
from zerg_site.launch.install import ROOT

KEPT_LOGS = 2  # earlier ones, beside the current
LOG_BYTES = 10_000_000


@dataclass(frozen=True)
class Program:
    """``log`` None: it writes to our own output. ``grace``: seconds between TERM and KILL when it is stopped.

    ``last``: it is stopped after all the others, because they need it. ``passed``: file descriptors it inherits.
    ``before_start`` is called before each start, with the number of failures in a row. ``nice``: how far it steps
    back when processors are short (0 to 19).
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    grace: float = 10.0
    last: bool = False
    passed: tuple[int, ...] = ()
    stop_with: int = signal.SIGTERM
    nice: int = 0
    before_start: Callable[[int], None] | None = None


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Starts it in a session of its own, so that it and all it starts can be ended together."""
    parent = os.getpid()

    def prepare() -> None:  # in the new process; safe here, where it would not be in a program with threads
        tree.die_with(parent)
        if program.nice:
            _step_back(program.nice)

    output = _open_log(program.log) if program.log else None
    try:
        return subprocess.Popen(
            program.command,
            env={**os.environ, **program.environment},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            pass_fds=program.passed,
            start_new_session=True,
            preexec_fn=prepare,
        )
    finally:
        if output is not None:
            os.close(output)


def _step_back(nice: int) -> None:
    os.nice(nice)
    with contextlib.suppress(OSError):
        # Where Linux shares processors between sessions, niceness counts within one only; each has its own besides.
        Path("/proc/self/autogroup").write_text(str(nice), encoding="ascii")


def rotate(log: Path) -> None:
    """Begins a new log; the last two runs' logs stay as ``.1`` and ``.2``."""
    if not log.exists() or log.stat().st_size == 0:
        return
    for number in range(KEPT_LOGS, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        newer = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
        if newer.exists():
            newer.replace(older)


def trim(log: Path) -> None:
    """Keeps a log under 10 MB while its program goes on writing to it: what is there moves to ``.1``."""
    try:
        if log.stat().st_size < LOG_BYTES:
            return
        with log.open("rb+") as file:
            log.with_name(f"{log.name}.1").write_bytes(file.read())
            file.truncate(0)  # the program appends, so it goes on at the beginning
    except OSError:
        return  # a full disk must not take the supervisor down


def _open_log(log: Path) -> int:
    return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
