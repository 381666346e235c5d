"""Process trees: nothing that was started here may outlive its starter.

On Linux the kernel hands orphans to us (a "child subreaper") and kills a child whose parent dies; elsewhere
process groups and the process table must do.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def adopt_orphans() -> None:
    """Descendants whose parent dies become our children, so that we can find and end them."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Runs in a new child before its program: the kernel kills it as soon as ``parent`` is gone."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)


def children_of(pid: int) -> list[int]:
    """The direct children of ``pid``."""
    return _table()[pid]


def descendants_of(pid: int) -> list[int]:
    """All descendants of ``pid``, parents first."""
    table = _table()
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for parent in level for child in table[parent]]
        found += level
    return found


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_descendants(seconds: float = 5.0) -> None:
    """Kills and reaps everything below this process, again and again until nothing is left or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        below = descendants_of(os.getpid())
        for pid in below:
            kill(pid)
        reaped = reap()
        if not below:
            return
        if not reaped:
            time.sleep(0.01)


def reap() -> list[tuple[int, int]]:
    """Collects children that have ended: (pid, exit code; negative for a signal's number)."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))


def _table() -> defaultdict[int, list[int]]:
    """Parent -> children, of every process that can be seen."""
    table: defaultdict[int, list[int]] = defaultdict(list)
    for pid, parent in _from_proc() if LINUX else _from_ps():
        table[parent].append(pid)
    return table


def _from_proc() -> list[tuple[int, int]]:
    pairs = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_bytes()
        except OSError:
            continue  # it has just ended
        # The name may hold anything, brackets and blanks included: what follows its last bracket is regular.
        parent = int(stat.rpartition(b")")[2].split()[1])
        pairs.append((int(folder.name), parent))
    return pairs


def _from_ps() -> list[tuple[int, int]]:
    lister = subprocess.Popen(["ps", "-axo", "pid=,ppid="], stdout=subprocess.PIPE, text=True)
    listing, _ = lister.communicate()
    rows = [line.split() for line in listing.splitlines()]
    # ps lists itself as our child; it has ended.
    return [(int(row[0]), int(row[1])) for row in rows if len(row) == 2 and int(row[0]) != lister.pid]
