"""The toolbox: Zerg's tools, and those of the operator's own modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from agents.toolbox import toolbox

TICKET = '''
from engine import ToolContext, tool

@tool(effect="idempotent")
def open_ticket(context: ToolContext, subject: str) -> str:
    """Opens a ticket."""
    return context.key
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An operator's module that holds what the test says."""
    name = "own_tools_of_a_test"
    (tmp_path / f"{name}.py").write_text(request.param)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


@pytest.mark.parametrize("module", [TICKET], indirect=True)
def test_the_tools_of_an_operators_module_stand_after_zergs_own(module: str) -> None:
    found = toolbox([module])
    assert list(found) == ["current_time", "calculate", "open_ticket"]
    assert (found["open_ticket"].effect, found["open_ticket"].description) == ("idempotent", "Opens a ticket.")


@pytest.mark.parametrize("module", [f"from engine import calculate\n{TICKET}"], indirect=True)
def test_a_module_may_import_tools_and_be_named_twice(module: str) -> None:
    assert list(toolbox([module, module])) == ["current_time", "calculate", "open_ticket"]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import no_such_package", "cannot be imported: ModuleNotFoundError: No module named 'no_such_package'"),
        ("def open_ticket(): pass", "has no tools"),
        (TICKET.replace("open_ticket", "calculate"), "has a tool calculate, and there is one of that name already"),
        (TICKET.replace("open_ticket", "nothing_new"), "has a tool nothing_new, and there is one of that name already"),
        (TICKET.replace("open_ticket", "öffnen"), "needs a short name and a docstring"),
        (TICKET.replace('"""Opens a ticket."""', ""), "needs a short name and a docstring"),
        (TICKET.replace("idempotent", "harmless"), "with the effect 'harmless'"),
    ],
    indirect=["module"],
)
def test_what_is_wrong_with_a_module_is_said_at_the_start(module: str, words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="ZERG_TOOLS names own_tools_of_a_test, which ") as refusal:
        toolbox([module])
    assert words in str(refusal.value)


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match="no_such_tools, which cannot be imported"):
        toolbox(["no_such_tools"])
