"""Schedules for the tests of schedules."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection

from accounts.models import User
from agents.models import Agent
from runs import states
from runs.endings import Ending
from runs.models import Run, RunStatus
from runs.records import end
from triggers.models import Schedule
from triggers.services import create_schedule

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
"""A Friday, two days before the clocks of Berlin go forward."""

MakeSchedule = Callable[..., Schedule]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock stands still, and goes where the test says."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def database_of_production(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """SQLite in a file, as in production: in memory, where tests have it, several writers cannot wait in line."""
    if connection.vendor != "sqlite" or "mode=memory" not in str(connection.settings_dict["NAME"]):
        yield
        return
    connection.ensure_connection()
    memory, name = connection.connection, connection.settings_dict["NAME"]
    with contextlib.closing(sqlite3.connect(tmp_path / "zerg.sqlite3")) as file:
        memory.backup(file)
    connection.connection, connection.settings_dict["NAME"] = None, str(tmp_path / "zerg.sqlite3")
    yield
    connection.close()
    connection.connection, connection.settings_dict["NAME"] = memory, name


@pytest.fixture
def make_schedule(agent: Agent, owner: User) -> MakeSchedule:
    """Makes a schedule of ``owner`` for ``agent``, by default each day at noon."""

    def make(expression: str = "0 12 * * *", **fields: Any) -> Schedule:
        return create_schedule(fields.pop("agent", agent), **{"owner": owner, "expression": expression, **fields})

    return make


def ledger(schedule: Schedule) -> list[tuple[str, str]]:
    """The outcomes with their due times, newest first."""
    rows = schedule.occurrences.values_list("outcome", "scheduled_for")
    return [(outcome, f"{due:%m-%d %H:%M}") for outcome, due in rows]


DONE = Ending(RunStatus.SUCCEEDED, Run.Reason.COMPLETED)
FAILED = Ending(RunStatus.FAILED, Run.Reason.PROVIDER_ERROR, "timeout_total", "It took too long.")
STOPPED = Ending(RunStatus.CANCELLED, Run.Reason.STOPPED_BY_USER)


def work(ending: Ending = DONE, most: int = 1000) -> list[Run]:
    """Takes up what waits, as workers do, and ends it so: ``most`` runs, in their order in each thread."""
    ended: list[Run] = []
    while len(ended) < most and (waiting := Run.objects.filter(status=RunStatus.QUEUED).order_by("pk").first()):
        run = states.claim_next(waiting.thread_id, owner="worker")
        assert run is not None
        end(run, ending)
        ended.append(run)
    return ended
