from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.tools import ROOT, python, wait_for
from zerg_site.launch.environment import anchor_paths, setting
from zerg_site.launch.home import Home, RunFile
from zerg_site.launch.say import LaunchError

HOLDER = """
import os, sys, time
from pathlib import Path
from zerg_site.launch.home import Home, RunFile
home = Home(Path(sys.argv[1]))
home.make()
home.occupy()
home.announce(RunFile(os.getpid(), "http://localhost:8123", "redis://:secret@127.0.0.1:1/0", "", ""))
time.sleep(1000)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that runs on the data directory."""
    process = subprocess.Popen(python(HOLDER, tmp_path), cwd=ROOT)
    wait_for((tmp_path / "run.json").exists, "the other process is there")
    yield process
    process.kill()
    process.wait()


def test_data_is_for_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    home.make()
    home.announce(RunFile(os.getpid(), "http://localhost:1", "redis://x", "", ""))

    assert home.path.stat().st_mode & 0o777 == 0o700
    assert home.run_file.stat().st_mode & 0o777 == 0o600


def test_a_second_up_on_the_same_data_is_refused_and_told_where_the_first_is(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(LaunchError, match=f"at http://localhost:8123, process {holder.pid},"):
        Home(tmp_path).occupy()


def test_other_commands_find_the_parts_of_a_running_up(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    run = Home(tmp_path).running()

    assert run is not None
    assert run.environment() == {
        "REDIS_URL": "redis://:secret@127.0.0.1:1/0",
        "ZERG_PUBLIC_ORIGIN": "http://localhost:8123",
    }


def test_what_a_killed_up_left_behind_is_not_believed(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()

    home = Home(tmp_path)
    assert home.run_file.exists()
    assert home.running() is None
    home.occupy()


def test_a_data_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LaunchError, match=r"the data directory .* cannot be used: Not a directory"):
        Home(tmp_path / "file" / "data").make()


def test_relative_paths_are_meant_from_where_the_person_stands() -> None:
    environ = {
        "ZERG_CALLED_FROM": "/home/ada",
        "ZERG_DATA_DIR": "data",
        "ZERG_SECRET_KEY_FILE": "../keys/zerg",
        "ZERG_LOCAL_GGUF": "/models/a.gguf",
        "OTHER_FILE": "as/it/is",
    }

    assert anchor_paths(environ) == Path("/home/ada")
    assert environ == {
        "ZERG_DATA_DIR": "/home/ada/data",
        "ZERG_SECRET_KEY_FILE": "/home/keys/zerg",
        "ZERG_LOCAL_GGUF": "/models/a.gguf",
        "OTHER_FILE": "as/it/is",
    }


def test_a_setting_may_be_kept_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://elsewhere/0\n")

    assert setting({"REDIS_URL_FILE": str(tmp_path / "url")}, "REDIS_URL") == "redis://elsewhere/0"
    with pytest.raises(LaunchError, match="REDIS_URL_FILE points to /nowhere, which cannot be read"):
        setting({"REDIS_URL_FILE": "/nowhere"}, "REDIS_URL")
