"""SQLite as Django has it, with writers that wait for their turn outside SQLite.

SQLite has one writer at a time. Whoever finds the lock taken is made to sleep by SQLite, longer each time, up to a
tenth of a second, and keeps its connection's mutex meanwhile. With a few busy writers the lock is then free half of the
time while all of them sleep. Worse: when Python's garbage collector frees a statement of the connection that sleeps, in
the thread that has the lock, that thread waits for the mutex, and both wait for each other until the patience is over.
Here nothing waits inside SQLite: whoever finds the lock taken looks again each few milliseconds.
"""

from __future__ import annotations

import random
import sqlite3
import time
from typing import Any

from django.db.backends.sqlite3 import base

LOOK_AGAIN = (0.001, 0.004)
"""Seconds, from and to: not all at the same moment."""


class DatabaseWrapper(base.DatabaseWrapper):
    """The patience is the option ``timeout``, in seconds, as it is without this class."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        connection: sqlite3.Connection = super().get_new_connection(conn_params)
        connection.execute("PRAGMA busy_timeout = 0")
        return connection

    def create_cursor(self, name: str | None = None) -> PatientCursor:
        cursor: PatientCursor = self.connection.cursor(factory=PatientCursor)
        cursor.patience = float(self.settings_dict["OPTIONS"].get("timeout", 5))
        return cursor


class PatientCursor(base.SQLiteCursorWrapper):
    """Waits as long as ``patience``, in seconds, for the lock; raises OperationalError after it."""

    patience: float

    def execute(self, query: str, params: Any = None) -> Any:
        until = time.monotonic() + self.patience
        while True:
            try:
                return super().execute(query, params)
            except sqlite3.OperationalError as error:
                # Inside a transaction the lock is ours, or what was read is old: waiting would not help.
                if not _is_busy(error) or self.connection.in_transaction or time.monotonic() > until:
                    raise
            time.sleep(random.uniform(*LOOK_AGAIN))  # noqa: S311 - no secret


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
