"""`./zerg test`: every check and every test, on a machine that has nothing installed yet."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from zerg_site.launch import install
from zerg_site.launch.chromium import find_or_install
from zerg_site.launch.guard import guarded
from zerg_site.launch.install import ROOT
from zerg_site.launch.program import Program
from zerg_site.launch.say import say, strong
from zerg_site.launch.supervisor import Stop, Supervisor

RESULTS = ROOT / "test-results"
BROWSER_TESTS = "tests/browser"
NOTHING_COLLECTED = 5  # pytest's exit code
OPERATORS_OWN = ("ZERG_", "OPENAI_", "DATABASE_URL", "REDIS_URL", "DJANGO_")
# For one test with its fixtures; then all stacks are shown and its process ends.
SECONDS, SECONDS_OF_LONG = 240, 1800
# Synchronous Playwright runs an event loop in the main thread, where Django would otherwise refuse its database.
BROWSER_ENVIRONMENT = {"DJANGO_ALLOW_ASYNC_UNSAFE": "true"}


@dataclass(frozen=True)
class Stage:
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    report: Path | None = None
    may_be_empty: bool = False


def test(arguments: Sequence[str]) -> int:
    """Runs everything, or pytest with ``arguments``. Returns 0 when all of it passed."""
    install.ensure(install.DEV)
    install.ensure(install.LOCAL_MODEL)
    long = "--long" in arguments
    for_pytest = [argument for argument in arguments if argument != "--long"]
    if not for_pytest or any("browser" in argument for argument in for_pytest):
        os.environ["ZERG_TEST_CHROMIUM"] = str(find_or_install())
    shutil.rmtree(RESULTS, ignore_errors=True)
    stages = _pytest_stages(for_pytest, long)
    if not for_pytest:
        stages = [*_checks(), *stages]
    with tempfile.TemporaryDirectory(prefix="zerg-test-") as data:
        _shut_out_the_operator(data, long)
        return guarded(lambda front, _pid: _run(stages, front))


def _shut_out_the_operator(data: str, long: bool) -> None:
    """No key, database or data directory of the person who runs the tests may reach them."""
    for name in list(os.environ):
        if name.startswith(OPERATORS_OWN) and not name.startswith("ZERG_TEST_"):
            del os.environ[name]
    os.environ["ZERG_DATA_DIR"] = data
    if long:
        os.environ["ZERG_TEST_LONG"] = "1"


def _checks() -> list[Stage]:
    manage = (sys.executable, "manage.py")
    production = {"ZERG_PUBLIC_ORIGIN": "https://zerg.example", "ZERG_SECRET_KEY": secrets.token_urlsafe(64)}
    return [
        Stage("ruff check", _module("ruff", "check")),
        Stage("ruff format", _module("ruff", "format", "--check")),
        Stage("mypy", _module("mypy", ".")),
        Stage("migrations in step", (*manage, "makemigrations", "--check", "--dry-run")),
        Stage("check --deploy", (*manage, "check", "--deploy", "--fail-level", "WARNING"), production),
    ]


def _pytest_stages(arguments: Sequence[str], long: bool) -> list[Stage]:
    """Browser tests run in a process of their own, after the others: asyncio and Playwright do not share one.
    Those that measure times come last, with nothing beside them."""
    limits = _ends_hanging_tests(SECONDS_OF_LONG if long else SECONDS)
    paths = [path for path in arguments if not path.startswith("-") and (ROOT / path.partition("::")[0]).exists()]
    if paths:
        inside = any(path.startswith(BROWSER_TESTS) for path in paths)
        return [_pytest("tests", (*limits, *_marked(long), *arguments), BROWSER_ENVIRONMENT if inside else {})]
    maybe = bool(arguments)
    # Three: much of it waits, for a lease or a clock; in the browser it is SQLite, PostgreSQL and the tour of pages.
    several = () if arguments else _in_several_processes(3)
    common = (*limits, *arguments)
    beside, alone = (*_marked(long, "not alone"), *several), _marked(long, "alone")
    browser = partial(_pytest, environment=BROWSER_ENVIRONMENT, may_be_empty=maybe)
    return [
        _pytest("tests", (*common, *_marked(long), *several, f"--ignore={BROWSER_TESTS}"), may_be_empty=maybe),
        browser("browser tests", (*common, *beside, BROWSER_TESTS)),
        browser("measured tests", (*common, *alone, BROWSER_TESTS)),
    ]


def _marked(long: bool, *wanted: str) -> tuple[str, ...]:
    markers = [*wanted, *([] if long else ["not long"])]
    return ("-m", " and ".join(markers)) if markers else ()


def _ends_hanging_tests(seconds: int) -> tuple[str, ...]:
    return ("-o", f"faulthandler_timeout={seconds}", "-o", "faulthandler_exit_on_timeout=true")


def _in_several_processes(at_least: int = 2) -> tuple[str, ...]:
    processes = min(4, max(at_least, os.cpu_count() or 1))
    # What shares fixtures stays together, see tests/side_by_side.py. A process that was ended is not replaced: xdist
    # would give it the same test again.
    return ("-n", str(processes), "--dist", "loadfile", "--max-worker-restart", "0")


def _pytest(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    may_be_empty: bool = False,
) -> Stage:
    report = RESULTS / f"{name.replace(' ', '-')}.xml"
    command = _module("pytest", f"--junitxml={report}", *arguments)
    return Stage(name, command, environment or {}, report, may_be_empty)


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def _run(stages: Sequence[Stage], front: int) -> int:
    began = time.monotonic()
    failed: list[str] = []
    with Supervisor(front) as supervisor:
        try:
            for stage in stages:
                if failed and stage.report is None:
                    continue  # one failed check is enough to know; the tests always run
                if not _passes(stage, supervisor):
                    failed.append(stage.name)
        except Stop:
            failed.append("stopped before the end")
    say()
    if failed:
        say(f"Failed: {', '.join(failed)}.")
    say(strong(f"{_counts(stages)} in {time.monotonic() - began:.0f} s"))
    return 1 if failed else 0


def _passes(stage: Stage, supervisor: Supervisor) -> bool:
    say(strong(f"== {stage.name}"))
    program = Program(stage.name, stage.command, stage.environment, stop_with=signal.SIGINT)
    code = supervisor.run(program)
    return code == 0 or (stage.may_be_empty and code == NOTHING_COLLECTED)


def _counts(stages: Sequence[Stage]) -> str:
    """What pytest itself counted, over all its processes: ``312 passed, 0 failed``."""
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for stage in stages:
        if stage.report and stage.report.exists():
            for suite in ElementTree.parse(stage.report).getroot().iter("testsuite"):  # noqa: S314 - our own file
                for name in total:
                    total[name] += int(suite.get(name, 0))
    passed = total["tests"] - total["failures"] - total["errors"] - total["skipped"]
    more = [f"{total[name]} {name}" for name in ("errors", "skipped") if total[name]]
    return ", ".join([f"{passed} passed", f"{total['failures']} failed", *more])
