"""What must be true of the rows of any Zerg at rest, however it came to rest. Asked of the database itself."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from tests.flows.stack import Stack

MESSAGES = "SELECT id, thread_id, seq, role, status, run_id, tool_calls, tool_call_id FROM thread_messages"
RUNS = "SELECT id, thread_id, status, lease_expires_at, input_tokens, agent_id FROM runs_run"
STEPS = "SELECT run_id, status, input_tokens FROM runs_step"
THREADS = "SELECT id, last_seq FROM agent_threads"
AGENTS = "SELECT id, status FROM agents"
ACTIVE = ("running", "waiting")


def invariants(stack: Stack, seconds: float = 10.0) -> None:
    """Fails with a line for each break that is still there after ``seconds``: a write under way is no break."""
    deadline = time.monotonic() + seconds
    while found := breaks(stack):
        assert time.monotonic() < deadline, "\n".join(found)
        time.sleep(0.1)


def breaks(stack: Stack) -> list[str]:
    """One line for each row or group of rows that contradicts the others."""
    runs = {row[0]: row for row in stack.rows(RUNS)}
    return [
        *_sequences(stack),
        *_active_runs(list(runs.values())),
        *_unsettled(stack, runs),
        *_steps(stack, runs),
        *_agents(stack, list(runs.values())),
    ]


def _sequences(stack: Stack) -> list[str]:
    found: dict[int, list[int]] = {}
    for _, thread, seq, *_ in stack.rows(MESSAGES):
        if seq is not None:
            found.setdefault(thread, []).append(seq)
    last = dict(stack.rows(THREADS))
    wrong = [thread for thread, seqs in found.items() if sorted(seqs) != list(range(1, last[thread] + 1))]
    return [f"thread {thread}: seq is {sorted(found[thread])}, last {last[thread]}" for thread in wrong]


def _active_runs(runs: list[Any]) -> list[str]:
    active = [row for row in runs if row[2] in ACTIVE]
    threads = [row[1] for row in active]
    twice = {thread for thread in threads if threads.count(thread) > 1}
    now = datetime.now(UTC)
    dead = [row[0] for row in active if row[2] == "running" and (row[3] is None or _moment(row[3]) < now)]
    return [
        *(f"thread {thread} has two active runs" for thread in twice),
        *(f"run {run} is running without a lease" for run in dead),
    ]


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(str(value)).replace(tzinfo=UTC)


def _unsettled(stack: Stack, runs: dict[int, Any]) -> list[str]:
    found = []
    answered = {row[7] for row in stack.rows(MESSAGES) if row[3] == "tool"}
    for pk, _, seq, role, status, run, calls, _ in stack.rows(MESSAGES):
        of_run = runs[run][2] if run in runs else None
        if status == "streaming" and of_run not in ACTIVE:
            found.append(f"message {pk} is being written, and its run is {of_run}")
        if status == "queued" and of_run != "queued":
            found.append(f"message {pk} waits, and its run is {of_run}")
        if (seq is None) != (status in ("queued",)) and not (seq is None and status == "stopped"):
            found.append(f"message {pk} is {status} with seq {seq}")
        if role == "assistant" and of_run not in (*ACTIVE, "queued"):
            found += [f"message {pk}: {call} has no result" for call in _call_ids(calls) if call not in answered]
    return found


def _call_ids(calls: Any) -> list[str]:
    listed = json.loads(calls) if isinstance(calls, str) else calls
    return [call["id"] for call in listed or []]


def _steps(stack: Stack, runs: dict[int, Any]) -> list[str]:
    found = []
    tokens: dict[int, int] = {}
    for run, status, used in stack.rows(STEPS):
        tokens[run] = tokens.get(run, 0) + (used or 0)
        if status == "started" and runs[run][2] not in ACTIVE:
            found.append(f"run {run} is {runs[run][2]}, and one of its steps has started and not ended")
    wrong = [run for run, row in runs.items() if row[2] not in ACTIVE and row[4] != tokens.get(run, 0)]
    return [*found, *(f"run {run} has {runs[run][4]} input tokens, its steps {tokens.get(run, 0)}" for run in wrong)]


def _agents(stack: Stack, runs: list[Any]) -> list[str]:
    at_work = {row[5] for row in runs if row[2] in ACTIVE}
    said = {pk for pk, status in stack.rows(AGENTS) if status == "processing"}
    return [
        *(f"agent {pk} says it is at work" for pk in said - at_work - {row[5] for row in runs if row[2] == "queued"}),
        *(f"agent {pk} is at work and does not say so" for pk in at_work - said),
    ]
