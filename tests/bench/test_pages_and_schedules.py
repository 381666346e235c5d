"""The benchmarks of pages and schedules work, and nothing is lost while they run. No figure is judged here."""

from __future__ import annotations

from bench import pages, schedules


def test_every_page_is_asked_for_beside_little_and_beside_ten_times_that() -> None:
    rows = pages.measure(quick=True, databases=("sqlite",))
    assert len(rows) == len({row.what for row in rows}) >= 15
    assert all("p50" in row.measured for row in rows)


def test_all_that_is_due_at_once_runs_once_with_three_beats() -> None:
    idle, made, lost, turn = schedules.measure(quick=True, databases=("postgres",))
    assert lost.measured == "0, 0"
    assert {row.holds for row in (idle, made, turn)} <= {True, False}
