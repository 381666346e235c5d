"""Marks for flows."""

from __future__ import annotations

import pytest

# What costs long waits and touches nothing that the database decides. The fixture's own parameter, so that such a test
# shares the stacks of the others.
on_sqlite_only = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
