"""Which commits PostgreSQL may give before they are on its disk: claims, which are made again where they are lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from runs import records, states
from runs.models import Run
from runs.services import start_run
from tests.on_postgres import assert_they_pass_there
from threads.models import Thread

ON_POSTGRES = connection.vendor == "postgresql"
HURRIED = "SET LOCAL synchronous_commit TO off"


def waits_for_disk() -> bool:
    if not ON_POSTGRES:
        return True
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        (said,) = cursor.fetchone()
    return bool(said == "on")


@pytest.mark.django_db(transaction=True)
def test_a_claim_does_not_wait_and_all_that_comes_before_and_after_it_does(owner: User, thread: Thread) -> None:
    with CaptureQueriesContext(connection) as accepting:
        start_run(thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT)
    assert waits_for_disk()
    with CaptureQueriesContext(connection) as claiming:
        run = states.claim_next(thread.pk, owner="worker")
    assert run is not None
    assert waits_for_disk()
    with CaptureQueriesContext(connection) as calling:
        records.begin_answer(run, "fake-1", 1)
    hurried = [sum(query["sql"] == HURRIED for query in asked) for asked in (accepting, claiming, calling)]
    assert hurried == [0, int(ON_POSTGRES), 0]


def test_it_holds_on_postgresql(tmp_path: Path) -> None:
    assert_they_pass_there(tmp_path, Path(__file__))
