"""CPU time and memory of process trees, from /proc (Linux only)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from zerg_site.launch import tree

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, with that of children which ended."""
    return sum(_cpu_ticks(each) for each in [pid, *tree.descendants_of(pid)]) / TICKS_PER_SECOND


def memory_mb(pid: int) -> float:
    """Memory of a process and its descendants in MB, shared pages shared out (PSS) where the kernel says so."""
    return sum(_memory_kb(each) for each in [pid, *tree.descendants_of(pid)]) / 1024


def describe() -> str:
    """The machine in one line: its processor, cores and memory."""
    model = _first("/proc/cpuinfo", "model name") or "an unknown processor"
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) // (1024 * 1024)
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, {memory} GB"


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(fields[column]) for column in (11, 12, 13, 14))


def _memory_kb(pid: int) -> int:
    try:
        return int(_first(f"/proc/{pid}/smaps_rollup", "Pss").split()[0])
    except (OSError, IndexError):
        pass
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES // 1024
    except OSError:
        return 0


def _first(path: str, name: str) -> str:
    lines: Iterable[str] = Path(path).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}")), "")
