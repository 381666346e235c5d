"""/readyz tells a supervisor, and a person, which part is down; and it takes it back."""

from __future__ import annotations

import asyncio

import pytest

from tests.flows.marks import on_sqlite_only
from tests.flows.parts import wait_until
from tests.flows.stack import Stack
from tests.flows.visitor import Visitor

NOTICED = 20.0
"""Seconds: a part's sign of life counts for 15."""
SAID = 90.0
"""Seconds: after a minute without a sign, pages say so."""
NO_CLOCK = "No schedule runs: the clock has not been heard of for a minute."
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
        if part == "beat":
            asyncio.run(_until_pages(hasty, said=True, seconds=SAID - NOTICED))
            assert states() == (503, others | {shown: "down"})
    finally:
        hasty.restart(part)
    hasty.until_ready(NOTICED)
    if part == "beat":
        asyncio.run(_until_pages(hasty, said=False, seconds=NOTICED))


async def _until_pages(stack: Stack, *, said: bool, seconds: float) -> None:
    """Until pages say, or say no more, that no schedule runs."""
    async with Visitor.of(stack) as person, asyncio.timeout(seconds):
        await person.sign_in()
        for address in ("/", "/schedules/", "/threads/"):
            while (NO_CLOCK in await person.page(address)) is not said:
                await asyncio.sleep(0.5)
