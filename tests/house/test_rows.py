"""An id that comes in from outside reaches a row only through ``for_user`` or ``get_for``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKED = {"for_user", "get_for"}
FROM_OUTSIDE = {"body", "page", "frame"}
"""What a request or a frame brings beside the parts of its address, by the names that doors give them."""


def doors() -> list[Path]:
    """The files that answer people and programs."""
    patterns = ("*/views.py", "*/*_views.py", "*/pages.py", "*/consumers.py", "api/*.py", "*/live.py")
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern) if ".venv" not in path.parts})


def chains(tree: ast.AST) -> Iterator[tuple[ast.expr, set[str], set[str]]]:
    """Each expression that begins with ``Model.objects``: itself, its methods, and the names its arguments use."""
    inner: set[int] = set()
    for node in ast.walk(tree):  # outer expressions come before their parts
        if not isinstance(node, ast.Call | ast.Attribute) or id(node) in inner:
            continue
        methods: set[str] = set()
        used: set[str] = set()
        at: ast.expr = node
        while isinstance(at, ast.Call | ast.Attribute):
            inner.add(id(at))
            if isinstance(at, ast.Call):
                arguments = [*at.args, *(keyword.value for keyword in at.keywords)]
                used |= {name.id for part in arguments for name in ast.walk(part) if isinstance(name, ast.Name)}
                at = at.func
            else:
                methods.add(at.attr)
                at = at.value
        if "objects" in methods and isinstance(at, ast.Name):
            yield node, methods, used


def unchecked(source: str) -> list[int]:
    """The lines where an id from outside reaches rows whose owner nobody has asked for."""
    lines = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = [argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]]
        if not names or names[0] not in ("request", "self", "user"):
            continue
        outside = {name for name in names[1:] if name.endswith(("_id", "pk"))} | FROM_OUTSIDE
        lines += [node.lineno for node, methods, used in chains(function) if used & outside and not methods & CHECKED]
    return sorted(set(lines))


@pytest.mark.parametrize("path", doors(), ids=lambda path: str(path.relative_to(ROOT)))
def test_ids_from_outside_are_looked_up_for_their_person(path: Path) -> None:
    assert unchecked(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "Thread.objects.get(pk=thread_id)",
        "Thread.objects.select_related('agent').filter(pk=thread_id).first()",
        "get_object_or_404(Thread.objects.all(), pk=1) or Run.objects.filter(thread=body.thread_id)",
    ],
)
def test_the_rule_sees_what_it_is_for(line: str) -> None:
    assert unchecked(f"def view(request, thread_id, body):\n    return {line}\n") == [2]
    assert (
        unchecked("def view(request, thread_id):\n    return Thread.objects.get_for(request.user, thread_id)\n") == []
    )
