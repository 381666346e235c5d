"""/readyz tells a supervisor, and a person, which part is down; and it takes it back."""

from __future__ import annotations

import pytest

from tests.flows.marks import on_sqlite_only
from tests.flows.parts import wait_until
from tests.flows.stack import Stack

NOTICED = 20.0
"""Seconds: a part's sign of life counts for 15."""
ALL = {"database", "bus", "worker", "beat"}


@on_sqlite_only
@pytest.mark.parametrize(
    ("part", "shown", "unknown"),
    [
        pytest.param("beat", "beat", set[str](), id="beat"),
        pytest.param("worker", "worker", set[str](), id="worker"),
        pytest.param("broker", "bus", {"worker", "beat"}, id="broker"),
    ],
)
def test_a_part_that_is_down_is_named_until_it_is_back(hasty: Stack, part: str, shown: str, unknown: set[str]) -> None:
    """Those that are heard of only through it are unknown, and not called down."""

    def states() -> tuple[int, dict[str, str]]:
        status, parts = hasty.readiness()
        assert parts.keys() == ALL
        return status, {name: state.partition(":")[0] for name, state in parts.items()}

    hasty.until_ready()
    assert states() == (200, dict.fromkeys(ALL, "ok"))
    others = dict.fromkeys(ALL - {shown}, "ok") | dict.fromkeys(unknown, "unknown")
    hasty.parts[part].kill()
    try:
        wait_until(lambda: states() == (503, others | {shown: "down"}), f"{shown} is called down", NOTICED, every=0.1)
    finally:
        hasty.restart(part)
    hasty.until_ready(NOTICED)
