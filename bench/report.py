"""What a benchmark found, as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEADINGS = ("what", "target", "measured", "")


@dataclass(frozen=True)
class Row:
    """One figure beside its target. ``holds`` is None where there is no target to hold."""

    what: str
    target: str
    measured: str
    holds: bool | None = None

    @property
    def verdict(self) -> str:
        return {True: "holds", False: "MISSED", None: ""}[self.holds]

    @property
    def cells(self) -> tuple[str, str, str, str]:
        return self.what, self.target, self.measured, self.verdict


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, in columns that line up."""
    lines = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    padded = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
              for line in lines]  # fmt: skip
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([padded[0], rule, *padded[1:]])


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lie; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
