"""``Run.status`` changes in ``runs/states.py`` and nowhere else, however a change is spelled."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.test_rules import ROOT, product_code

MAY = ("runs/states.py", "triggers/sample_data.py")
"""The state machine, and what makes up runs that are long over."""
DESCRIBE = ("serializers.py", "zerg_site/health.py")
"""Files whose dicts say a status to programs."""
OTHERS = re.compile(r"\b(ThreadMessage|Step|Agent|Delivery)\.Status\.|\b_message_status\(")
"""The states of other models: whoever sets one of these sets no run's."""
OTHER_MODELS = ("ThreadMessage", "Step", "Agent", "Provider", "Thread", "Schedule", "Delivery")
WRITERS = {"update", "create", "get_or_create", "update_or_create", "aupdate", "acreate", "Run", "fence", "dict"}
A_RUN = re.compile(r"(self\.)?_?(run|again)")
"""What a run is called where nothing else tells it from other rows."""
RAW = re.compile(r"(UPDATE|INSERT\s+INTO)\s+\W*runs_run\b", re.IGNORECASE)


def breaks(source: str, *, describes: bool = False) -> list[int]:
    """The lines that set the status of what may be a run."""
    found = []
    for node in ast.walk(ast.parse(source)):
        values = [*_assigned(node), *_passed(node), *(() if describes else _keyed(node))]
        found += [value.lineno for value in values if not OTHERS.search(ast.unparse(value))]
        if _is_unseen(node):
            found.append(getattr(node, "lineno", 0))
    return sorted(set(found))


def _assigned(node: ast.AST) -> Iterator[ast.expr]:
    """Values of ``x.status = …``, alone or among others, and of ``setattr(x, "status", …)``."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = [part for target in node.targets for part in ast.walk(target) if isinstance(part, ast.expr)]
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    is_set = any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets)
    if is_set and isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
        yield node.value
    if isinstance(node, ast.Call) and len(node.args) == 3 and _name(node.func) in ("setattr", "__setattr__"):
        row, name, value = node.args
        if name.value == "status" if isinstance(name, ast.Constant) else A_RUN.fullmatch(ast.unparse(row)):
            yield value


def _passed(node: ast.AST) -> Iterator[ast.expr]:
    """Values of ``update(status=…)`` and its like."""
    if isinstance(node, ast.Call) and _name(node.func) in WRITERS:
        yield from (keyword.value for keyword in node.keywords if keyword.arg == "status")


def _keyed(node: ast.AST) -> Iterator[ast.expr]:
    """Values under the key "status", on their way into ``**`` or ``defaults``; and of ``fields["status"] = …``."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "status":
                yield value
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Subscript) and ast.unparse(target.slice) == "'status'":
                yield node.value


def _is_unseen(node: ast.AST) -> bool:
    """True for what could set a status without naming it: all columns saved, fields from elsewhere, plain SQL."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(RAW.search(node.value))
    if not isinstance(node, ast.Call):
        return False
    text = ast.unparse(node.func)
    row, _, method = text.rpartition(".")
    if method in ("save", "asave") and A_RUN.fullmatch(row):
        return not any(keyword.arg == "update_fields" for keyword in node.keywords)
    unnamed = [keyword.value for keyword in node.keywords if keyword.arg is None]
    hidden = any(not isinstance(value, ast.Dict) for value in unnamed)
    return hidden and _name(node.func) in {"update", "aupdate", "fence"} and not text.startswith(OTHER_MODELS)


def _name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]


def test_no_other_module_sets_the_status_of_a_run() -> None:
    found = []
    for path in product_code():
        name = str(path.relative_to(ROOT))
        if name not in MAY:
            lines = breaks(path.read_text(encoding="utf-8"), describes=name.endswith(DESCRIBE))
            found += [f"{name}:{line}" for line in lines]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "run.status = RunStatus.FAILED",
        "run.status = 'failed'",
        "run.status: str = ended",
        "run.status += 'x'",
        "run.status, run.reason = 'failed', ''",
        "self.run.status = other = ending.status",
        "setattr(run, 'status', 'failed')",
        "setattr(run, name, value)",
        "object.__setattr__(run, 'status', 'failed')",
        "Run.objects.filter(pk=1).update(status=RunStatus.FAILED)",
        "Run.objects.filter(pk=1).update(note='', status='failed')",
        "mine.update(status=ending.status)",
        "mine.update(**{'status': 'failed'})",
        "mine.update(**fields)",
        "mine.update(**{**fields, 'note': ''}, **more)",
        "states.fence(run, status=RunStatus.QUEUED)",
        "states.fence(run, **fields)",
        "fields = {'status': RunStatus.QUEUED}",
        "fields = dict(status=RunStatus.QUEUED)",
        "fields['status'] = 'queued'",
        "Run.objects.update_or_create(pk=1, defaults={'status': 'failed'})",
        "Run(thread=thread, status='succeeded')",
        "thread.runs.create(status=RunStatus.RUNNING)",
        "run.save()",
        "cursor.execute('UPDATE runs_run SET status = %s')",
        "cursor.execute('update \"runs_run\" set note = 1')",
    ],
)
def test_the_rule_sees_what_it_is_for(line: str) -> None:
    assert breaks(f"def verb(run):\n    {line}\n") == [2]


@pytest.mark.parametrize(
    "line",
    [
        "message.status = ThreadMessage.Status.COMPLETE",
        "Step.objects.filter(run=run).update(status=Step.Status.FAILED if failed else Step.Status.SUCCEEDED)",
        "Agent.objects.update(status=Agent.Status.IDLE)",
        "Provider.objects.filter(pk=1).update(**values)",
        "Run.objects.filter(status=RunStatus.QUEUED).update(note='', position=1)",
        "states.finish(run, thread, status=RunStatus.FAILED, reason='')",
        "run.save(update_fields=['position', 'input_message'])",
        "HttpResponse(status=204)",
        "is_over = run.status == RunStatus.FAILED",
    ],
)
def test_the_rule_lets_pass_what_sets_no_run(line: str) -> None:
    assert breaks(f"def verb(run):\n    {line}\n") == []
