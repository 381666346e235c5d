"""Fixtures of the flows: databases, and stacks of real processes on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from tests.flows.databases import Database, Postgres, Sqlite
from tests.flows.people import Fake, Person, people_of
from tests.flows.stack import Stack
from tests.flows.visitor import Visitor
from tests.triggers.pages import Page, served

TOOLS = {"ZERG_TOOLS": "tests.flows.tool_ledger"}
HASTY = {
    **TOOLS,
    "ZERG_LEASE_SECONDS": "3",
    "ZERG_CHECKPOINT_SECONDS": "0.3",
    "ZERG_DRAIN_SECONDS": "1",
    "ZERG_TICK_SECONDS": "0.5",
    "ZERG_MODEL_TIMEOUT_FIRST_BYTE": "2.5",
    "ZERG_MODEL_TIMEOUT_BETWEEN_CHUNKS": "1.5",
    "OPENAI_API_KEY": "sk-flows-0123456789abcdefghij",
}


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp(request.param)
    made: Database = Sqlite(folder) if request.param == "sqlite" else Postgres(folder)
    yield made
    made.close()


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    """The one address of the web that schedules of ``stack`` may look at."""
    with served() as page:
        yield page


@pytest.fixture(scope="session")
def stack(database: Database, page: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Zerg with the settings it has by itself. Tests share it: each uses agents and threads of its own."""
    settings = {**TOOLS, "ZERG_EGRESS_ALLOW": page.place}
    running = Stack(tmp_path_factory.mktemp("stack"), database, settings).start()
    yield running
    running.close()


@pytest.fixture(scope="session")
def hasty(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Zerg with short leases and timeouts. Tests that kill its parts start them again."""
    running = Stack(tmp_path_factory.mktemp("hasty"), database, HASTY).start()
    yield running
    running.close()


@pytest.fixture
async def people(stack: Stack) -> AsyncIterator[tuple[Person, Person]]:
    async with people_of(stack) as both:
        yield both


@pytest.fixture
def owner(people: tuple[Person, Person]) -> Person:
    return people[0]


@pytest.fixture
def stranger(people: tuple[Person, Person]) -> Person:
    return people[1]


@pytest.fixture
async def visitor(stack: Stack) -> AsyncIterator[Visitor]:
    """The owner in a browser without script, signed in."""
    async with Visitor.of(stack) as somebody:
        await somebody.sign_in()
        yield somebody


@pytest.fixture
def fake(stack: Stack) -> Fake:
    """The model server's own account of what it was asked, and what it sent."""
    return Fake(stack.model_url)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows the logs of the stacks it used."""
    report = yield
    if report.failed:
        used: dict[str, Any] = getattr(item, "funcargs", {})
        for name, value in used.items():
            if isinstance(value, Stack):
                report.sections.append((f"logs of {name}", value.tails()))
    return report
