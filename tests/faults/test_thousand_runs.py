"""Workers that are killed at random while they work: every message is answered, once, and nothing is left running."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

import pytest

from tests.faults.cluster import Cluster, is_at_work
from tests.faults.load import Crowd, all_ended, tally
from tests.flows.people import Fake, Person, eventually

NO_LONGER_RUNNING = 90.0
"""Seconds after the last kill."""


@dataclass(frozen=True)
class Size:
    runs: int
    kills: int
    talkers: int


SIZES = [
    pytest.param(Size(runs=60, kills=6, talkers=6), id="60 runs"),
    pytest.param(Size(runs=1000, kills=50, talkers=20), id="1000 runs", marks=pytest.mark.long),
]


@pytest.mark.parametrize("size", SIZES)
async def test_no_message_is_lost_and_no_text_doubled(
    cluster: Cluster, owner: Person, fake: Fake, chance: random.Random, size: Size
) -> None:
    crowd = Crowd(cluster, owner, talkers=size.talkers)
    began = time.monotonic()
    talking = asyncio.create_task(crowd.talk())
    try:
        for number in range(size.kills):
            # Spread over the whole of the load, and always somebody who is at work.
            await crowd.until_done(number * size.runs * 0.9 / size.kills)
            await kill_one_at_work(cluster, chance)
        await crowd.until_done(size.runs)
        crowd.enough()
        await talking
    finally:
        talking.cancel()
    took = await all_ended(cluster, [message.run_id for message in crowd.accepted], NO_LONGER_RUNNING)

    found = await tally(cluster, crowd.accepted)
    print(
        f"{len(crowd.accepted)} runs, {size.kills} kills in {time.monotonic() - began:.0f} s: "
        f"{found.answered} answered, {len(found.given_up)} given up after three, {found.attempts} attempts, "
        f"{found.requests} requests; nothing ran {took:.1f} s after the last answer"
    )
    assert found.wrong == []
    assert found.answered + len(found.given_up) == len(crowd.accepted) >= size.runs
    for run_id in found.given_up:  # each said so in its thread, where a person asks once more
        again = await owner.post(f"/api/runs/{run_id}/retry", status=202)
        assert (await owner.ended(again["run_id"]))["status"] == "succeeded"


async def kill_one_at_work(cluster: Cluster, chance: random.Random) -> None:
    """A random worker that holds runs, at a random moment of the next half second, when no other one is dead."""

    async def holders() -> list[str]:
        are_all_up = all(is_at_work(worker) for worker in cluster.of_kind("worker"))
        return sorted(await asyncio.to_thread(cluster.holders)) if are_all_up else []

    names = await eventually(holders, "a worker holds runs", 60)
    await asyncio.sleep(chance.uniform(0, 0.5))
    victim = cluster.parts[chance.choice(names)]
    victim.kill()
    victim.start()
