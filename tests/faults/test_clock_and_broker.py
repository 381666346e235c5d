"""Any number of clocks fires each due time once, and a broker that forgets everything loses no run."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import redis

from tests.faults.cluster import Cluster, is_at_work
from tests.faults.load import all_ended, say_surely, tally, threads_of
from tests.flows.people import Fake, Person, eventually, unique

FLUSHED_RUNS_END = 60.0
ON_TIME = 5.0


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.long)])
async def test_three_clocks_make_one_run_of_each_due_time(cluster: Cluster, owner: Person, count: int) -> None:
    agent = await owner.agent()
    # All within two seconds, so that the clocks meet; on a slow machine some are made later than that.
    first = datetime.now(UTC) + timedelta(seconds=4 + count / 30)
    more = [cluster.add_another("beat") for _ in range(3 - len(cluster.of_kind("beat")))]
    try:
        for number in range(count):
            soon = datetime.now(UTC) + timedelta(seconds=2)
            due = max(soon, first + timedelta(seconds=2 * number // count))
            body = {"kind": "once", "expression": due.isoformat(timespec="seconds"), "prompt": unique()}
            await owner.post("/api/schedules", {"agent_id": agent["id"], **body})

        async def all_fired() -> list[int]:
            rows = await asyncio.to_thread(cluster.rows, FIRED.format(agent["id"]))
            return [run_id for (_, run_id, outcome, _) in rows if outcome == "ran"] if len(rows) >= count else []

        runs = await eventually(all_fired, "all due times are dealt with", 60 + count / 30)
        await all_ended(cluster, runs, 120)
    finally:
        for part in more:
            part.kill()
            del cluster.parts[part.name]
    rows = cluster.rows(FIRED.format(agent["id"]))
    late = sorted(row[3] for row in rows)
    started = cluster.rows(f"SELECT status, error_message FROM runs_run WHERE agent_id = {agent['id']}")
    print(f"{len(rows)} occurrences, {len(started)} runs, late {late[len(late) // 2]:.2f} s, at most {late[-1]:.2f} s")
    assert len(rows) == len({row[0] for row in rows}) == len(set(runs)) == count
    assert Counter(started) == {("succeeded", ""): count}
    assert late[int(len(late) * 0.99) - 1] <= ON_TIME
    assert [part.name for part in cluster.parts.values() if "deadlock detected" in part.log.read_text()] == []


FIRED = (
    "SELECT schedule_id, run_id, outcome, lateness_seconds FROM triggers_occurrence "
    "WHERE schedule_id IN (SELECT id FROM triggers_schedule WHERE agent_id = {})"
)


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.long)])
async def test_all_queued_runs_end_although_the_broker_forgot_them(
    cluster: Cluster, owner: Person, fake: Fake, count: int
) -> None:
    threads = await threads_of(owner, count)
    workers = cluster.of_kind("worker")
    await asyncio.gather(*(asyncio.to_thread(worker.stop, signal.SIGTERM, 30) for worker in workers))
    sent = [await say_surely(owner, thread, unique()) for thread in threads]
    with redis.Redis.from_url(cluster.redis_url) as client:
        assert client.llen("celery") >= count
        client.flushall()
    flushed = time.monotonic()
    for worker in workers:
        worker.start()
    await all_ended(cluster, [message.run_id for message in sent], FLUSHED_RUNS_END)
    print(f"{count} runs ended {time.monotonic() - flushed:.1f} s after the broker forgot them")
    found = await tally(cluster, sent)
    assert (found.wrong, found.answered, found.requests) == ([], count, count)
    for worker in workers:  # they find runs before Celery has said that it is ready
        await eventually(lambda worker=worker: asyncio.to_thread(is_at_work, worker), f"{worker.name} takes tasks")  # type: ignore[misc]
