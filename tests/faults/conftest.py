"""A cluster that tests break. After each of them Zerg's own check must find nothing."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.breakable import BreakablePostgres
from tests.faults.cluster import Cluster
from tests.faults.load import forget
from tests.flows.conftest import HASTY, pytest_runtest_makereport
from tests.flows.databases import Database, Sqlite
from tests.flows.invariants import invariants
from tests.flows.people import Fake, Person, people_of

__all__ = ["pytest_runtest_makereport"]

SETTINGS = {
    **HASTY,
    # A busy machine is no silent model.
    "ZERG_MODEL_TIMEOUT_FIRST_BYTE": "20",
    "ZERG_MODEL_TIMEOUT_BETWEEN_CHUNKS": "20",
}
HERE = Path(__file__).parent
SHAPES = {"sqlite": {"webs": 1, "workers": 2, "beats": 1}, "postgres": {"webs": 2, "workers": 2, "beats": 2}}
"""SQLite is one machine's database; PostgreSQL serves several, each with a web, a worker and a beat of its own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One database after the other: at each change a cluster is closed and one is started."""
    ours = [place for place, item in enumerate(items) if item.path.is_relative_to(HERE)]
    in_order = sorted((items[place] for place in ours), key=lambda item: item.callspec.params["database"])  # type: ignore[attr-defined]
    for place, item in zip(ours, in_order, strict=True):
        items[place] = item


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp(f"faults-{request.param}")
    made: Database = Sqlite(folder) if request.param == "sqlite" else BreakablePostgres(folder)
    yield made
    made.close()


@pytest.fixture(scope="session")
def whole_cluster(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    running = Cluster(folder, database, SETTINGS, **SHAPES[database.name]).start()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def cluster(whole_cluster: Cluster) -> Iterator[Cluster]:
    """All its processes run, before the test and after it; and what the test left behind contradicts nothing."""
    yield whole_cluster
    whole_cluster.revive()
    whole_cluster.until_ready()
    invariants(whole_cluster)
    assert "invariants hold" in whole_cluster.check()


@pytest.fixture
async def owner(cluster: Cluster) -> AsyncIterator[Person]:
    async with people_of(cluster) as (somebody, _):
        yield somebody


@pytest.fixture
async def fake(cluster: Cluster) -> Fake:
    """The model server's account of this test."""
    records = Fake(cluster.model_url)
    await forget(records)
    return records


@pytest.fixture
def chance() -> random.Random:
    """What is random in a test, and can be had again: ZERG_TEST_SEED is the seed that a failed test printed."""
    seed = int(os.environ.get("ZERG_TEST_SEED") or random.randrange(1_000_000))
    print(f"seed {seed}")
    return random.Random(seed)
