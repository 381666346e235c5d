"""Times that tests hold pages to. What else a machine does only ever adds: the quickest tell what a page costs."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

TIMES, MOST_TIMES = 5, 25

Measure = Callable[[], dict[str, float]]


def quickest(measure: Measure, is_enough: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """The medians of the quickest five, of as many as are needed until that is enough, but not of more than 25."""
    found: list[dict[str, float]] = []
    medians: dict[str, float] = {}
    while len(found) < MOST_TIMES:
        found.append(measure())
        medians = {name: median(sorted(one[name] for one in found)[:TIMES]) for name in found[0]}
        if len(found) >= TIMES and is_enough(medians):
            break
    return medians


def are_within(measure: Measure, most: dict[str, float]) -> dict[str, float]:
    """The medians; asserts that they are at ``most`` so much."""

    def is_enough(medians: dict[str, float]) -> bool:
        return all(medians[name] <= most[name] for name in most)

    medians = quickest(measure, is_enough)
    assert is_enough(medians), medians
    return medians
