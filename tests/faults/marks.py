"""Marks for faults: how the two databases share what takes long. With ``--long`` each of them gets all of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import cycle

import pytest

DATABASES = ("sqlite", "postgres")


def at_each(points: Iterable[str], *, rarely: Collection[str] = ()) -> pytest.MarkDecorator:
    """A test at each point, on the two databases in turn; at the points ``rarely`` only with ``--long``.

    Each takes some seconds, nearly all of which are leases that run out.
    """
    cases = []
    turns = cycle(DATABASES)
    for point in points:
        turn = "" if point in rarely else next(turns)
        for database in DATABASES:
            marks = () if database == turn else (pytest.mark.long,)
            cases.append(pytest.param(database, point, id=f"{database}-{point}", marks=marks))
    # By default pytest would set up the database anew for each point, as the points are not a session's.
    return pytest.mark.parametrize(("database", "point"), cases, indirect=["database"], scope="session")


def first_on(database: str) -> pytest.MarkDecorator:
    """On this database; on the other one with ``--long``."""
    cases = [pytest.param(name, marks=() if name == database else (pytest.mark.long,)) for name in DATABASES]
    return pytest.mark.parametrize("database", cases, indirect=True)
