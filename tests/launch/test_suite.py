from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.launch.tools import ROOT, python

RUN = """
import json, sys
from pathlib import Path
from zerg_site.launch.guard import guarded
from zerg_site.launch.suite import Stage, _run
stages = []
for name, code, report in json.loads(sys.argv[1]):
    stages.append(Stage(name, (sys.executable, "-c", code), report=Path(report) if report else None))
sys.exit(guarded(lambda front, pid: _run(stages, front)))
"""
PLAN = """
import sys
from zerg_site.launch.suite import _checks, _pytest_stages
arguments = sys.argv[2:]
for stage in [*([] if arguments else _checks()), *_pytest_stages(arguments, sys.argv[1] == "long")]:
    words = [word for word in stage.command[2:] if not word.startswith("--junitxml")]
    print(stage.name, "|", " ".join(words), "|", *stage.environment)
"""


def _report(path: Path, **counts: int) -> str:
    attributes = " ".join(f'{name}="{count}"' for name, count in counts.items())
    return f"open({str(path)!r}, 'w').write('<testsuites><testsuite {attributes}/></testsuites>')"


def _run(*stages: tuple[str, str, str]) -> tuple[int, list[str]]:
    ran = subprocess.run(
        python(RUN, json.dumps(stages)), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return ran.returncode, ran.stdout.splitlines()


def _plan(length: str, *arguments: str) -> list[str]:
    ran = subprocess.run(python(PLAN, length, *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def test_a_failed_check_skips_the_other_checks_but_never_the_tests(tmp_path: Path) -> None:
    tests, browser = tmp_path / "tests.xml", tmp_path / "browser.xml"

    code, lines = _run(
        ("lint", "raise SystemExit(1)", ""),
        ("types", "print('must not run')", ""),
        ("tests", _report(tests, tests=9, failures=1, errors=0, skipped=2) + "; raise SystemExit(1)", str(tests)),
        ("browser tests", _report(browser, tests=4, failures=0, errors=1, skipped=0), str(browser)),
    )

    assert code == 1
    assert lines[:3] == ["== lint", "== tests", "== browser tests"]
    assert lines[-2] == "Failed: lint, tests."
    assert lines[-1].startswith("9 passed, 1 failed, 1 errors, 2 skipped in ")


def test_it_ends_with_what_pytest_counted_when_all_is_well(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"

    code, lines = _run(
        ("lint", "print('clean')", ""),
        ("tests", _report(report, tests=312, failures=0, errors=0, skipped=0), str(report)),
    )

    assert code == 0
    assert lines[:3] == ["== lint", "clean", "== tests"]
    assert lines[-1].startswith("312 passed, 0 failed in ")


def test_everything_means_checks_then_tests_then_the_browser_then_what_is_measured() -> None:
    names = [line.split(" | ")[0] for line in _plan("short")]

    assert names == [
        "ruff check",
        "ruff format",
        "mypy",
        "migrations in step",
        "check --deploy",
        "tests",
        "browser tests",
        "measured tests",
    ]
    for long, length in ((False, "short"), (True, "long")):
        tests, browser, measured = _plan(length)[-3:]
        assert all(("not long" not in stage) is long for stage in (tests, browser, measured))
        assert " -n " in tests
        assert " -m not alone" in browser
        assert " -n " in browser
        assert " -m alone" in measured
        assert " -n " not in measured


def test_chosen_tests_run_alone() -> None:
    (stage,) = _plan("short", "tests/launch", "-k", "ports")

    assert stage.strip().endswith("-m not long tests/launch -k ports |")
    assert stage.startswith("tests | pytest -o faulthandler_timeout=240 ")


def test_a_choice_by_name_still_keeps_the_browser_apart() -> None:
    tests, browser, measured = _plan("short", "-k", "sse")

    assert tests.strip().endswith("-k sse -m not long --ignore=tests/browser |")
    assert browser.endswith("-k sse -m not alone and not long tests/browser | DJANGO_ALLOW_ASYNC_UNSAFE")
    assert measured.endswith("-k sse -m alone and not long tests/browser | DJANGO_ALLOW_ASYNC_UNSAFE")
