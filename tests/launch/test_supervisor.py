from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.launch.tools import PARENT, SLEEPER, STUBBORN, Family, alive, numbers, python, wait_for
from zerg_site.launch.program import LOG_BYTES, trim

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux hands orphans over")


@pytest.fixture
def families() -> Iterator[list[Family]]:
    started: list[Family] = []
    yield started
    for family in started:
        family.end()


def _family_with_grandchildren(tmp_path: Path, families: list[Family]) -> tuple[Family, list[int]]:
    pids = tmp_path / "pids"
    family = Family({"parent": python(PARENT, pids)}, tmp_path)
    families.append(family)
    wait_for(lambda: len(_all(pids)) == 3, "a child and its two children run")
    return family, _all(pids)


def _reads(log: Path, text: str) -> bool:
    return log.exists() and log.read_text() == text


def _all(pids: Path) -> list[int]:
    """The child first, then what it has started."""
    return numbers(pids.with_name("pids.parent")) + numbers(pids)


def test_a_child_that_dies_is_started_again_after_growing_pauses(tmp_path: Path, families: list[Family]) -> None:
    starts = tmp_path / "starts"
    code = "import sys, time; open(sys.argv[1], 'a').write(f'{time.monotonic_ns()}\\n'); sys.exit(3)"
    family = Family({"fragile": python(code, starts)}, tmp_path)
    families.append(family)

    wait_for(lambda: len(numbers(starts)) >= 4, "four starts")

    first, second, third, fourth = numbers(starts)[:4]
    assert second - first >= 0.2e9
    assert third - second >= 0.4e9
    assert fourth - third >= 0.8e9
    lines = family.screen().splitlines()
    assert lines[0] == "fragile stopped (exit code 3); starting it again in 0.2 s. Its log: fragile.log"
    assert lines[1] == "fragile stopped (exit code 3); starting it again in 0.4 s. Its log: fragile.log"


def test_a_killed_child_comes_back_and_takes_what_it_had_started_along(tmp_path: Path, families: list[Family]) -> None:
    _, before = _family_with_grandchildren(tmp_path, families)

    os.kill(before[0], signal.SIGKILL)

    wait_for(lambda: len(_all(tmp_path / "pids")) == 6, "the child is started again")
    wait_for(lambda: not any(alive(pid) for pid in before), "those from before are gone")


def test_sigterm_stops_everything_and_ends_with_code_zero(tmp_path: Path, families: list[Family]) -> None:
    family, pids = _family_with_grandchildren(tmp_path, families)

    family.process.terminate()

    assert family.process.wait(10) == 0
    assert [pid for pid in pids if alive(pid)] == []


def test_a_child_that_ignores_term_is_killed_after_its_grace(tmp_path: Path, families: list[Family]) -> None:
    pids = tmp_path / "pids"
    family = Family({"stubborn": python(STUBBORN, pids)}, tmp_path, grace=0.5)
    families.append(family)
    wait_for(lambda: len(numbers(pids)) == 1, "the child runs")

    family.process.terminate()

    assert family.process.wait(10) == 0
    assert not alive(numbers(pids)[0])


def test_a_second_ctrl_c_does_not_wait_for_anybody(tmp_path: Path, families: list[Family]) -> None:
    pids = tmp_path / "pids"
    family = Family({"stubborn": python(STUBBORN, pids)}, tmp_path, grace=300)
    families.append(family)
    wait_for(lambda: len(numbers(pids)) == 1, "the child runs")

    def has_gone() -> bool:
        family.process.send_signal(signal.SIGINT)
        return family.process.poll() is not None

    wait_for(has_gone, "repeated Ctrl-C ends it")
    assert family.process.returncode == 0
    assert not alive(numbers(pids)[0])


def test_one_stop_that_arrives_twice_is_still_a_gentle_one(tmp_path: Path, families: list[Family]) -> None:
    said = tmp_path / "said"
    code = (
        "import signal, sys, time\n"
        "def stop(*_): time.sleep(1); open(sys.argv[1], 'w').write('1'); sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, stop)\n{SLEEPER.replace('sys.argv[1]', 'sys.argv[2]')}"
    )
    family = Family({"tidy": python(code, said, tmp_path / "pids")}, tmp_path)
    families.append(family)
    wait_for(lambda: len(numbers(tmp_path / "pids")) == 1, "the child runs")
    supervisor = family.supervisor_pid()

    os.kill(supervisor, signal.SIGTERM)
    family.process.terminate()

    assert family.process.wait(10) == 0
    assert said.exists()


def test_kill_9_of_the_front_process_leaves_no_orphan(tmp_path: Path, families: list[Family]) -> None:
    family, pids = _family_with_grandchildren(tmp_path, families)
    pids = [*pids, family.supervisor_pid()]

    family.process.kill()

    wait_for(lambda: not any(alive(pid) for pid in pids), "child, grandchildren and supervisor are gone")


@linux
def test_kill_9_of_the_supervisor_leaves_no_orphan(tmp_path: Path, families: list[Family]) -> None:
    family, pids = _family_with_grandchildren(tmp_path, families)

    os.kill(family.supervisor_pid(), signal.SIGKILL)

    assert family.process.wait(10) == 1
    assert [pid for pid in pids if alive(pid)] == []
    assert "the supervisor was killed (SIGKILL)" in family.screen()


def test_each_start_begins_a_new_log_and_keeps_the_last(tmp_path: Path, families: list[Family]) -> None:
    log = tmp_path / "talker.log"
    for run in ("first", "second"):
        talker = python("import sys, time; print(sys.argv[1], flush=True); time.sleep(1000)", run)
        family = Family({"talker": talker}, tmp_path)
        families.append(family)
        wait_for(partial(_reads, log, f"{run}\n"), f"the {run} log")
        family.process.terminate()
        family.process.wait(10)

    assert (tmp_path / "talker.log.1").read_text() == "first\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_grows_too_large_moves_aside_while_its_program_goes_on_writing(tmp_path: Path) -> None:
    log = tmp_path / "talker.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * LOG_BYTES)
        trim(log)
        writer.write(b"afterwards\n")

    assert log.read_bytes() == b"afterwards\n"
    assert (tmp_path / "talker.log.1").stat().st_size == LOG_BYTES


def test_a_program_that_cannot_be_started_is_tried_again(tmp_path: Path, families: list[Family]) -> None:
    program = tmp_path / "late"
    family = Family({"late": [str(program)]}, tmp_path)
    families.append(family)
    wait_for(lambda: "late could not be started (No such file or directory)" in family.screen(), "its line")

    draft = tmp_path / "draft"
    draft.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nsleep 1000\n")
    draft.chmod(0o700)
    draft.rename(program)

    wait_for((tmp_path / "ran").exists, "it runs at last")
