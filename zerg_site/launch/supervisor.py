"""Starts programs, starts them again with growing pauses when they die, and stops them all in order.

One thread, one loop: ``pump`` waits for a signal, for a child's end or for the next start that is due.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from zerg_site.launch import tree
from zerg_site.launch.guard import STOPS
from zerg_site.launch.program import Program, rotate, spawn, trim
from zerg_site.launch.say import near, say

FIRST_PAUSE = 0.2  # seconds; doubles with each failure in a row
LONGEST_PAUSE = 10.0
LOUD_FAILURES = 8  # in a row; after these the pause stays the same, and there is nothing new to say
HEALTHY = 30.0  # seconds of life after which earlier failures are forgotten
TRIM_EVERY = 60.0
HURRIED_GRACE = 2.0
SAME_GESTURE = 0.5  # one stop may arrive twice: systemd, for one, signals every process of a service


class Stop(Exception):
    """Somebody asked for the end, or the front process is gone."""


@dataclass
class Child:
    """A program and how its processes fare. ``code`` is set when it has ended for good."""

    program: Program
    once: bool
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_at: float | None = None
    code: int | None = None


@dataclass
class Supervisor:
    """Use as a context manager: it owns the signals inside, and leaves no process behind."""

    front: int | None = None
    here: Path = field(default_factory=Path.cwd)
    children: dict[str, Child] = field(default_factory=dict)
    _stop_signals: list[float] = field(default_factory=list)
    _stopping: bool = False
    _orphaned: bool = False
    _trimmed_at: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Supervisor:
        self._wake, wake_writer = socket.socketpair()
        self._wake.setblocking(False)
        wake_writer.setblocking(False)
        self._wake_writer = wake_writer
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in STOPS:
            signal.signal(number, self._on_stop_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        tree.kill_descendants()
        signal.set_wakeup_fd(-1)
        self._wake.close()
        self._wake_writer.close()

    def start(self, program: Program) -> Child:
        """Starts ``program`` now, and again whenever it ends."""
        return self._add(program, once=False)

    def run(self, program: Program) -> int:
        """Runs ``program`` to its end while the others are watched. Returns its exit code."""
        child = self._add(program, once=True)
        while child.code is None:
            self.pump(1.0)
        del self.children[program.name]
        return child.code

    def wait_until(self, condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
        """Pumps until ``condition`` holds (True) or ``seconds`` have passed (False)."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.pump(every)
        return True

    def pump(self, seconds: float) -> None:
        """One turn of the loop, ``seconds`` long at most. Raises Stop when the end was asked for."""
        due = [child.start_at for child in self.children.values() if child.start_at is not None]
        wait = min([seconds, *(at - time.monotonic() for at in due)])
        sources: list[socket.socket | int] = [self._wake]
        if self.front is not None and not self._orphaned:
            sources.append(self.front)
        ready, _, _ = select.select(sources, [], [], max(0.0, wait))
        if self.front in ready:
            self._orphaned = True
        if self._wake in ready:
            self._wake.recv(4096)
        self._collect()
        self._start_due()
        self._trim_logs()
        if not self._stopping and (self._stop_signals or self._orphaned):
            raise Stop

    def stop(self) -> None:
        """Ends everything: TERM, the programs' grace, KILL; those that the others need go last."""
        self._stopping = True
        for last in (False, True):
            batch = [child for child in self.children.values() if child.program.last is last]
            for child in batch:
                child.start_at = None
                if child.process is not None:
                    child.process.send_signal(child.program.stop_with)
            grace = max((child.program.grace for child in batch), default=0.0)
            self.wait_until(partial(self._all_ended, batch), self._grace(grace))
            for child in batch:
                if child.process is not None:
                    tree.kill_group(child.process.pid)

    def _all_ended(self, batch: list[Child]) -> bool:
        return all(child.process is None for child in batch) or self._in_a_hurry()

    def _grace(self, seconds: float) -> float:
        return min(seconds, HURRIED_GRACE) if self._orphaned else seconds

    def _in_a_hurry(self) -> bool:
        """Ctrl-C a second time, while the parts are stopping."""
        signals = self._stop_signals
        return len(signals) > 1 and signals[-1] - signals[0] > SAME_GESTURE

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_signals.append(time.monotonic())

    def _add(self, program: Program, *, once: bool) -> Child:
        assert program.name not in self.children
        child = self.children[program.name] = Child(program, once)
        if program.log:
            rotate(program.log)
        self._launch(child)
        return child

    def _launch(self, child: Child) -> None:
        child.start_at = None
        if child.program.before_start is not None:
            child.program.before_start(child.failures)
        child.started_at = time.monotonic()
        try:
            child.process = spawn(child.program)
        except OSError as error:  # the machine has no memory or process left for it, or its file is gone
            self._after_failure(child, 127, f"could not be started ({error.strerror})")

    def _collect(self) -> None:
        ended = dict(tree.reap())
        for child in self.children.values():
            if child.process is not None and child.process.pid in ended:
                child.process.returncode = ended[child.process.pid]
                self._on_end(child, child.process)

    def _on_end(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        child.process = None
        tree.kill_group(process.pid)  # what it had started
        self._end_strays()
        self._after_failure(child, process.returncode, _ending(process.returncode))

    def _after_failure(self, child: Child, code: int, what: str) -> None:
        if child.once or self._stopping:
            child.code = code
            return
        now = time.monotonic()
        if now - child.started_at >= HEALTHY:
            child.failures = 0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**child.failures)
        child.failures += 1
        child.start_at = now + pause
        if child.failures > LOUD_FAILURES:
            return
        where = f" Its log: {near(child.program.log, self.here)}" if child.program.log else ""
        loud = child.failures < LOUD_FAILURES
        when = f"in {pause:.1f} s" if loud else f"every {pause:.0f} s from now on"
        say(f"{child.program.name} {what}; starting it again {when}.{where}")

    def _end_strays(self) -> None:
        """Ends orphans that the kernel has handed to us: what a child left behind outside its group."""
        known = {child.process.pid for child in self.children.values() if child.process is not None}
        for pid in tree.children_of(os.getpid()):
            if pid not in known:
                tree.kill(pid)

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self.children.values():
            if child.start_at is not None and child.start_at <= now:
                self._launch(child)

    def _trim_logs(self) -> None:
        if time.monotonic() - self._trimmed_at < TRIM_EVERY:
            return
        self._trimmed_at = time.monotonic()
        for child in self.children.values():
            if child.program.log:
                trim(child.program.log)


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"stopped (exit code {code})"
