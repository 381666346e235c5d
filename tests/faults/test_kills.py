"""Any process that dies, stops or is told to end at a random moment, under load: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time

import pytest

from tests.faults.cluster import Cluster
from tests.faults.conftest import SETTINGS
from tests.faults.load import Accepted, Crowd, all_ended, say_surely, tally, threads_of
from tests.faults.marks import first_on
from tests.flows.people import Fake, Person, eventually, unique

RESOLVED = 60.0
LONG = "[[script: long n=100 rate=25 stamp=1]]"
"""Four seconds of text: longer than a lease, and than the time that a worker has to end."""


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.long)])
async def test_whatever_is_killed_at_random_every_message_is_answered(
    cluster: Cluster, owner: Person, fake: Fake, chance: random.Random, kills: int
) -> None:
    crowd = Crowd(cluster, owner, talkers=8)
    talking = asyncio.create_task(crowd.talk())
    killed: list[str] = []
    for _ in range(kills):
        # Between two kills some work is done, as otherwise only starting processes would be killed.
        await crowd.until_done(crowd.done + 3)
        await asyncio.sleep(chance.uniform(0, 0.5))
        kind = chance.choice(["web", "worker", "worker", "beat", "broker"])
        victim = chance.choice(cluster.of_kind(kind))
        victim.kill()
        await asyncio.sleep(chance.uniform(0, 0.5))
        cluster.restart(victim.name)
        killed.append(kind)
    crowd.enough()
    await talking
    await all_ended(cluster, [message.run_id for message in crowd.accepted], RESOLVED)

    found = await tally(cluster, crowd.accepted)
    print(f"{killed}: {len(crowd.accepted)} accepted, {found.answered} answered, {len(found.given_up)} given up")
    assert found.wrong == []
    assert found.answered + len(found.given_up) == len(crowd.accepted) > kills


async def begin(owner: Person, cluster: Cluster, fake: Fake, count: int) -> list[Accepted]:
    """So many answers, of which each has some text on its row."""
    threads = await threads_of(owner, count)
    # All at once: the first one must not be over before the last one begins, however slow the machine is.
    sent = await asyncio.gather(*(say_surely(owner, thread, unique(LONG)) for thread in threads))

    async def all_write() -> bool:
        rows = await asyncio.to_thread(
            cluster.rows, "SELECT run_id FROM thread_messages WHERE status = 'streaming' AND content <> ''"
        )
        return {message.run_id for message in sent} <= {row[0] for row in rows}

    await eventually(all_write, "all are being written")
    return sent


@first_on("sqlite")
async def test_a_worker_that_is_told_to_end_under_load_hands_the_rest_over(
    cluster: Cluster, owner: Person, fake: Fake
) -> None:
    sent = await begin(owner, cluster, fake, 6)
    name = next(iter(await asyncio.to_thread(cluster.holders)))
    began = time.monotonic()
    code = await asyncio.to_thread(cluster.parts[name].stop, signal.SIGTERM, 30)
    gone = time.monotonic() - began
    assert code == 0
    assert gone < float(SETTINGS["ZERG_DRAIN_SECONDS"]) + 5
    took = await all_ended(cluster, [message.run_id for message in sent], RESOLVED)
    print(f"gone after {gone:.1f} s, all answered {took:.1f} s later")
    found = await tally(cluster, sent)
    assert (found.wrong, found.answered) == ([], 6)
    # Handing over is no fault of the run: it uses up no attempt.
    assert {run["attempt"] for run in [await owner.get(f"/api/runs/{m.run_id}") for m in sent]} == {1}


@first_on("sqlite")
async def test_all_processes_told_to_end_at_once_end_in_time_and_lose_nothing(
    cluster: Cluster, owner: Person, fake: Fake
) -> None:
    sent = await begin(owner, cluster, fake, 4)
    parts = [*cluster.of_kind("web"), *cluster.of_kind("worker"), *cluster.of_kind("beat")]
    began = time.monotonic()
    for part in parts:
        os.kill(part.pid, signal.SIGTERM)
    await asyncio.gather(*(asyncio.to_thread(part.stop, 0, 30) for part in parts))
    print(f"all gone after {time.monotonic() - began:.1f} s")
    for part in parts:
        part.start()
    await all_ended(cluster, [message.run_id for message in sent], RESOLVED)
    found = await tally(cluster, sent)
    assert (found.wrong, found.answered) == ([], 4)


@first_on("sqlite")
async def test_a_worker_that_was_stopped_past_its_lease_writes_nothing_when_it_goes_on(
    cluster: Cluster, owner: Person, fake: Fake
) -> None:
    sent = await begin(owner, cluster, fake, 6)
    held = await asyncio.to_thread(cluster.holders)
    stopped = cluster.parts[max(held, key=lambda name: held[name])]
    os.kill(stopped.pid, signal.SIGSTOP)
    took = await all_ended(cluster, [message.run_id for message in sent], RESOLVED)
    print(f"{held}: {stopped.name} stopped; all ended {took:.1f} s later")
    before = await asyncio.to_thread(snapshot, cluster)

    os.kill(stopped.pid, signal.SIGCONT)
    lost = held[stopped.name]

    async def noticed() -> bool:
        log = stopped.log.read_text(errors="replace")
        return sum(log.count(words) for words in ("was abandoned", "was taken over")) >= lost

    await eventually(noticed, "it notices that others have its runs")
    # It answers now: what it was about to write has been tried.
    assert (await owner.ask(await owner.thread(), unique()))["status"] == "succeeded"
    after = await asyncio.to_thread(snapshot, cluster)
    assert before == {key: row for key, row in after.items() if key in before}
    found = await tally(cluster, sent)
    assert (found.wrong, found.answered) == ([], 6)


def snapshot(cluster: Cluster) -> dict[tuple[str, int], tuple[object, ...]]:
    """All that runs wrote."""
    runs = "SELECT id, status, version, attempt, lease_epoch, input_tokens, output_tokens FROM runs_run"
    messages = "SELECT id, status, version, content, reasoning, seq FROM thread_messages"
    steps = "SELECT id, status, output, finished_at FROM runs_step"
    tables = {"run": runs, "message": messages, "step": steps}
    return {(name, row[0]): tuple(row) for name, query in tables.items() for row in cluster.rows(query)}
