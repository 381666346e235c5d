"""Marks for flows."""

from __future__ import annotations

import pytest

# For what costs long waits and touches nothing that the database decides. It is the fixture's own parameter, so that
# such a test shares the stacks of the others. The flows on both databases run side by side: each gets its share.
on_sqlite_only = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
on_postgres_only = pytest.mark.parametrize("database", ["postgres"], indirect=True)
