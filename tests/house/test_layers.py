"""Imports point down, never up: docs/architecture.md draws the layers, and this holds them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = [["zerg_site"], ["api"], ["triggers"], ["runs"], ["threads"], ["agents"], ["accounts"], ["engine", "common"]]
HEIGHT = {name: len(LAYERS) - level for level, names in enumerate(LAYERS) for name in names}
# The Celery app's settings and the launcher know nothing of the apps; settings need one helper of common to make keys.


def files_of(package: str) -> list[Path]:
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts]


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The top-level names of everything a file imports, wherever it does so, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.partition(".")[0]


@pytest.mark.parametrize("package", HEIGHT)
def test_a_layer_imports_only_what_is_below_it(package: str) -> None:
    upward = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files_of(package)
        for line, name in imported(ast.parse(path.read_text()))
        if name in HEIGHT and name != package and HEIGHT[name] >= HEIGHT[package]
    ]
    assert upward == []


def test_the_engine_knows_no_django() -> None:
    known = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files_of("engine")
        for line, name in imported(ast.parse(path.read_text()))
        if name in {"django", "channels", "celery", "redis", "ninja"}
    ]
    assert known == []


def test_nothing_in_common_has_a_table() -> None:
    assert not [path for path in files_of("common") if path.name == "models.py"]


def test_only_the_wiring_reads_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for package in HEIGHT
        if package != "zerg_site"
        for path in files_of(package)
        if "os.environ" in path.read_text() and "management" not in path.parts
    ]
    assert readers == []
