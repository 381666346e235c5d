"""How long pages and lists take, to the last byte, beside years of history and beside ten times that."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import rig
from bench.report import Row, percentile
from tests.flows.parts import ROOT
from tests.flows.stack import Stack
from tests.flows.visitor import Visitor

TARGET_MS = 40.0
TIMES = 10


@dataclass(frozen=True)
class Size:
    """What is there at first, the length of one thread, and how often each page is asked for."""

    agents: int
    threads: int
    messages: int
    longest: int
    asked: int

    @property
    def words(self) -> str:
        return f"{self.agents:,} agents, {self.threads:,} threads, {self.messages // 2:,} runs"


FULL = Size(500, 10_000, 200_000, 10_000, 30)
QUICK = Size(20, 60, 600, 300, 2)


@dataclass(frozen=True)
class Asked:
    """Milliseconds from each request to its last byte; and of processor time, for one, in the web process."""

    times: list[float]
    cpu: float

    def words(self) -> str:
        return f"p50 {percentile(self.times, 0.5):.0f}, p95 {percentile(self.times, 0.95):.0f}, cpu {self.cpu:.0f} ms"


def measure(*, quick: bool, databases: Sequence[str] = rig.DATABASES) -> list[Row]:
    """Asks for every page, then again with ten times as much in the database."""
    size = QUICK if quick else FULL
    rows = []
    for database in databases:
        with rig.zerg(database) as stack:
            stack.parts["beat"].kill()  # nothing comes due, and adds rows of its own, while these are made
            _seed(stack, size)
            once = asyncio.run(_ask_for_all(stack, size.asked))
            _grow(stack)
            again = asyncio.run(_ask_for_all(stack, size.asked))
        rows += [_row(database, size, name, once[name], again[name]) for name in once]
    return rows


def _seed(stack: Stack, size: Size) -> None:
    sizes = {
        "agents": size.agents,
        "threads": size.threads,
        "messages": size.messages,
        "longest": size.longest,
        "schedules": 2 * size.agents,
    }
    stack.manage("seed", *(f"--{name}={number}" for name, number in sizes.items()))


def _grow(stack: Stack) -> None:
    """Makes ten of everything that is there."""
    command = [sys.executable, "-m", "bench.grow", str(TIMES)]
    subprocess.run(command, cwd=ROOT, env=stack.environment(), check=True)


def _pages(stack: Stack) -> dict[str, str]:
    """The addresses by what they show; those of one thread are of a long one."""
    longest = "SELECT id, agent_id, last_seq FROM agent_threads ORDER BY last_seq DESC LIMIT 1"
    ((thread, agent, last),) = stack.rows(longest)
    ((run,),) = stack.rows(f"SELECT max(id) FROM runs_run WHERE thread_id = {thread}")
    return {
        "home": "/",
        "agents": "/agents/",
        "an agent's runs": f"/agents/{agent}/?tab=runs",
        "threads": "/threads/",
        "the long thread": f"/threads/{thread}/",
        "the long thread, far up": f"/threads/{thread}/messages/more/?before={last // 2}",
        "runs": "/runs/",
        "runs, far down": f"/runs/?before={run // 2}",
        "failed runs": "/runs/?status=failed",
        "a run": f"/runs/{run}/",
        "schedules": "/schedules/",
        "API: messages of the long thread": f"/api/threads/{thread}/messages?limit=50",
        "API: messages, far down": f"/api/threads/{thread}/messages?limit=50&skip={last // 2}",
        "API: threads": "/api/threads?limit=50",
        "API: runs": "/api/runs?limit=50",
        "admin: agents": "/admin/agents/agent/",
        "admin: threads": "/admin/threads/thread/",
        "admin: messages": "/admin/threads/threadmessage/",
        "admin: runs": "/admin/runs/run/",
    }


async def _ask_for_all(stack: Stack, asked: int) -> dict[str, Asked]:
    """Asks for one page after the other, one request at a time. The first one of each is not counted."""
    found: dict[str, Asked] = {}
    async with Visitor.of(stack) as visitor:
        await visitor.sign_in()
        for name, path in _pages(stack).items():
            await visitor.page(path)
            meter = rig.Meter(stack)
            times = [await _time_of(visitor, path) for _ in range(asked)]
            found[name] = Asked(times, 1000 * meter.read().cpu["web"] / asked)
    return found


async def _time_of(visitor: Visitor, path: str) -> float:
    began = time.perf_counter()
    await visitor.page(path)
    return (time.perf_counter() - began) * 1000


def _row(database: str, size: Size, name: str, once: Asked, again: Asked) -> Row:
    return Row(
        f"{name} ({database}; {size.words}, a thread of {size.longest:,} messages; then ten times that)",
        f"p50 {TARGET_MS:.0f} ms",
        f"{once.words()}; then {again.words()}",
        max(percentile(once.times, 0.5), percentile(again.times, 0.5)) <= TARGET_MS,
    )
