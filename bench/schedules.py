"""Thousands of schedules that come due at once, with three beats; and what a great many cost that are not due."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import rig
from bench.report import Row
from tests.flows.parts import ROOT
from tests.flows.stack import Stack

TARGET_SECONDS = 10.0
TURN_SECONDS = 3.0
"""How long somebody's only schedule may wait behind somebody else's thousands."""
BEATS = 3
PATIENCE = 300.0


@dataclass(frozen=True)
class Size:
    """How many are ``due`` at once and how many are not (``later``); seconds to watch, and to make the due ones in."""

    due: int
    later: int
    watched: float
    lead: float


FULL = Size(10_000, 100_000, 30, 30)
QUICK = Size(200, 2_000, 1, 3)


def measure(*, quick: bool, databases: Sequence[str] = rig.DATABASES) -> list[Row]:
    """Watches a Zerg with many schedules while none is due, then when many are."""
    size = QUICK if quick else FULL
    rows = []
    for database in databases:
        with rig.zerg(database) as stack:
            _make(stack, 1, time.time() + 86_400, size.later)
            rows.append(_idle(stack, size, database))
            rows += _due(stack, size, database)
    return rows


def _make(stack: Stack, due: int, at: float, later: int) -> None:
    command = [sys.executable, "-m", "bench.due", str(due), str(at), str(later)]
    subprocess.run(command, cwd=ROOT, env=stack.environment(), check=True)


def _idle(stack: Stack, size: Size, database: str) -> Row:
    meter, began = rig.Meter(stack), time.monotonic()
    time.sleep(size.watched)
    used, seconds = meter.read().cpu, time.monotonic() - began
    share = (used["beat"] + used.get("database", 0.0)) / seconds
    return Row(
        f"{size.later:,} schedules, none due: the clock ({database})", "1 % of a core", f"{share:.1%}", share < 0.01
    )


def _due(stack: Stack, size: Size, database: str) -> list[Row]:
    for _ in range(BEATS - 1):
        stack.add_another("beat")
    at = time.time() + size.lead
    _make(stack, size.due, at, 0)
    late_start = max(0.0, time.time() - at)
    made = _wait_for(stack, size.due, at)
    turn = _seconds_of_the_stranger(stack)
    doubled, runs = _doubled(stack), _runs(stack)
    what = f"{size.due:,} due at once among {size.later:,}, {BEATS} beats"
    note = f" (they were made {late_start:.1f} s late)" if late_start else ""
    return [
        Row(f"{what}: all in the ledger ({database})", f"{TARGET_SECONDS:.0f} s", f"{made:.1f} s{note}",
            made - late_start <= TARGET_SECONDS),
        Row(f"{what}: run twice, not run ({database})", "0, 0", f"{doubled}, {size.due - runs}",
            not doubled and runs == size.due),
        Row(f"{what}: somebody else's only one ({database})", f"{TURN_SECONDS:.0f} s", f"{turn:.1f} s",
            turn - late_start <= TURN_SECONDS),
    ]  # fmt: skip


def _wait_for(stack: Stack, count: int, at: float) -> float:
    """Seconds from the due time until the ledger has ``count`` rows; raises RuntimeError when they do not come."""
    while _number(stack, "SELECT count(*) FROM triggers_occurrence") < count:
        if time.time() > at + PATIENCE:
            raise RuntimeError(f"the ledger is not complete after {PATIENCE:.0f} s")
        time.sleep(0.1)
    return time.time() - at


def _seconds_of_the_stranger(stack: Stack) -> float:
    stranger = "SELECT id FROM accounts_user WHERE email = 'stranger@localhost'"
    theirs = f"SELECT id FROM triggers_schedule WHERE owner_id = ({stranger})"
    return _number(stack, f"SELECT min(lateness_seconds) FROM triggers_occurrence WHERE schedule_id IN ({theirs})")


def _doubled(stack: Stack) -> int:
    """Runs beyond the first of a schedule."""
    runs = "SELECT count(*) FROM runs_run WHERE trigger = 'schedule'"
    distinct = "SELECT count(DISTINCT key) FROM runs_run WHERE trigger = 'schedule'"
    return int(_number(stack, runs) - _number(stack, distinct))


def _runs(stack: Stack) -> int:
    return int(_number(stack, "SELECT count(DISTINCT run_id) FROM triggers_occurrence WHERE outcome = 'ran'"))


def _number(stack: Stack, query: str) -> float:
    ((number,),) = stack.rows(query)
    return float(number)
