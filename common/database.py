"""The ORM from an event loop: sync functions run in a small pool of threads that live as long as the process.

And what to make of a database that goes away.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connection, connections, transaction

T = TypeVar("T")
log = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError)
AGAIN_SECONDS = 0.3
FRESH_SECONDS = 1.0


class CommitUnknown(Exception):
    """The database went away while it committed: the change may have happened, or not."""


@contextmanager
def certain_transaction() -> Iterator[None]:
    """A transaction. Raises CommitUnknown; after any other error nothing has changed."""
    is_committing = False
    try:
        with transaction.atomic():
            yield
            is_committing = True
    except DATABASE_AWAY as error:
        if is_committing:
            raise CommitUnknown from error
        raise


def commit_without_waiting() -> None:
    """In a transaction whose changes are simply made again should the machine lose power now: PostgreSQL is not to wait
    for its disk. Whatever is committed later, and waited for, has them on the disk before it.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit TO off")


class DatabaseThreads:
    """``await threads(function, *args)`` runs a sync function with the ORM in one of ``count`` threads.

    While the database is away it is tried again for ``patience`` seconds: then it must be one that may be repeated, or
    one whose changes are in a ``certain_transaction``.
    """

    def __init__(self, count: int, name: str, *, patience: float = 0) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._patience = patience

    async def __call__(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        work = partial(_with_connection, function, *args, **kwargs)
        while True:
            try:
                return await loop.run_in_executor(self._pool, work)
            except DATABASE_AWAY as error:
                if loop.time() >= until:
                    raise
                log.warning("The database is away (%s); trying again", error)
            await asyncio.sleep(AGAIN_SECONDS)


_borrowed = threading.local()


def _with_connection(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Calls ``function``; a connection that failed in it is made anew for the next call.

    SQLite's stays open: opening it costs more than a query. So does borrowing one from the process's pool, where it is
    asked whether it lives: a thread keeps the one that it has for FRESH_SECONDS.
    """
    is_fresh = time.monotonic() - getattr(_borrowed, "at", 0.0) < FRESH_SECONDS
    if not is_fresh:
        _borrowed.at = time.monotonic()
        for opened in connections.all(initialized_only=True):
            if opened.vendor != "sqlite":
                opened.close()
    try:
        return function(*args, **kwargs)
    finally:
        for opened in connections.all(initialized_only=True):
            opened.close_at = None
            opened.close_if_unusable_or_obsolete()


@cache
def _reading_threads() -> DatabaseThreads:
    return DatabaseThreads(8, "rows")


async def in_database(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Runs a sync function with the ORM beside the event loop of a web process."""
    return await _reading_threads()(function, *args, **kwargs)
