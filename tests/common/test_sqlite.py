"""SQLite has one writer at a time: the next has its turn when that one ends, and waits no longer than it may."""

from __future__ import annotations

import gc
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from common.sqlite.base import DatabaseWrapper

pytestmark = pytest.mark.django_db

WRITE = "INSERT INTO numbers VALUES (1)"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A writer that is in the middle of a transaction."""
    made = sqlite3.connect(tmp_path / "line.sqlite3", isolation_level=None, check_same_thread=False)
    made.execute("CREATE TABLE numbers (number integer)")
    made.execute("BEGIN IMMEDIATE")
    yield made
    made.close()


def open_database(tmp_path: Path, patience: float) -> DatabaseWrapper:
    options = {"transaction_mode": "IMMEDIATE", "timeout": patience}
    path = str(tmp_path / "line.sqlite3")
    return DatabaseWrapper({**connection.settings_dict, "NAME": path, "OPTIONS": options}, "default")


def begin(database: DatabaseWrapper) -> None:
    database.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    database.rollback()


def write(database: DatabaseWrapper) -> None:
    with database.cursor() as cursor:
        cursor.execute(WRITE)


both = pytest.mark.parametrize("work", [begin, write])


@both
def test_a_writer_goes_on_when_the_one_before_it_has_ended(
    tmp_path: Path, other: sqlite3.Connection, work: Callable[[DatabaseWrapper], None]
) -> None:
    ended = threading.Event()

    def end() -> None:
        ended.set()
        other.execute("COMMIT")

    database = open_database(tmp_path, 20)
    threading.Timer(0.2, end).start()
    work(database)
    assert ended.is_set()
    database.close()


@both
def test_a_writer_that_never_ends_is_not_waited_for_forever(
    tmp_path: Path, other: sqlite3.Connection, work: Callable[[DatabaseWrapper], None]
) -> None:
    database = open_database(tmp_path, 0.1)
    with pytest.raises(OperationalError, match="locked"):
        work(database)
    database.close()


def test_a_writer_may_free_a_statement_of_one_that_waits(tmp_path: Path, other: sqlite3.Connection) -> None:
    """The garbage collector frees in whatever thread it happens to run, also in the one that has the lock."""
    is_about_to_wait = threading.Event()

    def wait_for_the_lock() -> None:
        database = open_database(tmp_path, 20)
        ring: list[Any] = [database.cursor()]
        ring[0].execute("VALUES (1), (2)")
        ring.append(ring)  # only the collector frees it
        del ring
        is_about_to_wait.set()
        write(database)
        database.close()

    gc.disable()
    try:
        waiting = threading.Thread(target=wait_for_the_lock, daemon=True)
        waiting.start()
        assert is_about_to_wait.wait(5)
        waiting.join(0.3)
        collecting = threading.Thread(target=gc.collect, daemon=True)
        collecting.start()
        collecting.join(3)
        assert not collecting.is_alive()
    finally:
        gc.enable()
        other.execute("COMMIT")
    waiting.join(10)
    assert not waiting.is_alive()
