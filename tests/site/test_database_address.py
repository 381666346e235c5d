"""What an address of a database says, and what it may not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from zerg_site import env


def options(query: str) -> Any:
    return env.database(f"postgres://zerg:secret@db/zerg{query}", Path("/data"))["OPTIONS"]


@pytest.mark.parametrize(("query", "after"), [("", 1), ("?prepare_threshold=5", 5), ("?prepare_threshold=none", None)])
def test_a_pooler_that_knows_no_prepared_statements_can_be_spared_them(query: str, after: int | None) -> None:
    assert options(query)["prepare_threshold"] == after


def test_other_options_go_to_the_database_as_they_are() -> None:
    assert options("?sslmode=require&prepare_threshold=2")["sslmode"] == "require"


@pytest.mark.parametrize("value", ["never", "-1"])
def test_a_threshold_that_is_no_number_is_refused_by_name(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="prepare_threshold is a number or “none”"):
        options(f"?prepare_threshold={value}&sslmode=require")
