"""A database that goes away in the middle of everything, and comes back: no half message, and nothing lost."""

from __future__ import annotations

import asyncio
import random
import signal

import pytest

from tests.faults.breakable import BreakablePostgres
from tests.faults.cluster import Cluster
from tests.faults.load import Crowd, all_ended, tally
from tests.faults.test_kills import begin
from tests.flows.databases import Database
from tests.flows.marks import on_postgres_only
from tests.flows.people import Fake, Person, unique
from tests.flows.visitor import Visitor

pytestmark = on_postgres_only
BACK_WITHIN = 20.0
"""Seconds from the moment the database is back until all answers of four seconds are whole."""


@pytest.fixture
def server(database: Database) -> BreakablePostgres:
    assert isinstance(database, BreakablePostgres)
    return database


async def test_streams_outlive_their_connections_to_the_database(
    cluster: Cluster, owner: Person, fake: Fake, server: BreakablePostgres, chance: random.Random
) -> None:
    sent = await begin(owner, cluster, fake, 6)
    for _ in range(5):
        await asyncio.to_thread(server.cut_connections)
        await asyncio.sleep(chance.uniform(0, 1))
    took = await all_ended(cluster, [message.run_id for message in sent], BACK_WITHIN)
    found = await tally(cluster, sent)
    print(f"all ended {took:.1f} s after the last cut, {found.requests} requests for {found.answered} answers")
    assert (found.wrong, found.answered) == ([], 6)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["restarted", "killed"])
async def test_streams_outlive_the_database_server(
    cluster: Cluster, owner: Person, fake: Fake, server: BreakablePostgres, number: signal.Signals
) -> None:
    sent = await begin(owner, cluster, fake, 6)
    server.stop(number)
    server.start()
    took = await all_ended(cluster, [message.run_id for message in sent], BACK_WITHIN)
    found = await tally(cluster, sent)
    print(f"all ended {took:.1f} s after it was back, {found.requests} requests for {found.answered} answers")
    assert (found.wrong, found.answered) == ([], 6)


@pytest.mark.long
async def test_sockets_outlive_a_database_that_is_away_for_longer_than_anybody_waits_for_it(
    cluster: Cluster, owner: Person, fake: Fake, server: BreakablePostgres
) -> None:
    """A socket that looked alive and told nothing any more, or forgot to ask who may still see it, would be worse than
    one that was closed."""
    async with Visitor.of(cluster) as visitor:
        await visitor.sign_in()
        thread = await owner.thread()
        async with visitor.page_socket(thread["id"]) as page, owner.socket(thread) as socket:
            await socket.frame("thread_history")
            server.stop(signal.SIGINT)
            try:
                await asyncio.sleep(30)  # who needs the database asks for it after 4 s, and waits for 20
            finally:
                server.start()
            run = await owner.ask(thread, unique())
            await socket.run_ended(run["id"])
            (row,) = await owner.answers(run["id"], thread)
            await page.settled(row["id"])
            await visitor.sign_out()
            assert await page.closed(30) is not None


@pytest.mark.parametrize("cuts", [4, pytest.param(50, marks=pytest.mark.long)])
async def test_connections_are_cut_at_random_under_load(
    cluster: Cluster, owner: Person, fake: Fake, server: BreakablePostgres, chance: random.Random, cuts: int
) -> None:
    crowd = Crowd(cluster, owner, talkers=8)
    talking = asyncio.create_task(crowd.talk())
    for _ in range(cuts):
        await crowd.until_done(crowd.done + 3)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await asyncio.to_thread(server.cut_connections)
    crowd.enough()
    await talking
    await all_ended(cluster, [message.run_id for message in crowd.accepted], BACK_WITHIN)
    found = await tally(cluster, crowd.accepted)
    print(f"{cuts} cuts: {len(crowd.accepted)} accepted, {found.answered} answered, {found.requests} requests")
    assert (found.wrong, found.answered) == ([], len(crowd.accepted))
