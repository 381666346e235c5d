"""The command in a folder of its own, with a lock of one tiny package: everything is real, but for the internet."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.launch.tools import ROOT

MANAGE = "import sys, os, tiny; print(tiny.VERSION, sys.argv[1:], os.getcwd())"


class Copy:
    """A clone of Zerg that needs one package, ``tiny``, and whose manage.py prints its version."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "zerg copy"
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        shutil.copytree(ROOT / "zerg_site" / "launch", self.root / "zerg_site" / "launch")
        shutil.copy(ROOT / "zerg", self.root / "zerg")
        (self.root / "manage.py").write_text(MANAGE)
        self.environment = {
            "PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin",
            "ZERG_PYTHON": sys.executable,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_CONFIG_FILE": os.devnull,
        }

    def lock(self, version: str, digest: str = "") -> None:
        wheel = self.wheels / f"tiny-{version}-py3-none-any.whl"
        about = f"tiny-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tiny.py", f"VERSION = {version!r}\n")
            archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
            archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{about}/RECORD", "")
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        (self.root / "requirements.txt").write_text(f"tiny=={version} \\\n    --hash=sha256:{digest}\n")

    def run(
        self, *arguments: str, command: Path | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command or self.root / "zerg", *arguments],
            env=self.environment,
            cwd=cwd or self.root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def stamp(self) -> Path:
        return self.root / ".venv" / "requirements.installed"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    copy = Copy(tmp_path_factory.mktemp("install"))
    copy.lock("1.0")
    first = copy.run("manage", "hello")
    assert first.returncode == 0, first.stderr
    assert "Installing what Zerg needs: 1 packages, once" in first.stdout
    assert first.stdout.splitlines()[-1] == f"1.0 ['hello'] {copy.root}"
    return copy


def test_it_installs_again_only_when_the_lock_has_changed(installed: Copy) -> None:
    again = installed.run("manage", "hello")
    installed.lock("2.0")
    changed = installed.run("manage", "hello")

    assert again.stdout == f"1.0 ['hello'] {installed.root}\n"
    assert "Installing" in changed.stdout
    assert changed.stdout.splitlines()[-1].startswith("2.0 ")


def test_a_failed_installation_shows_pips_words_and_is_done_again(installed: Copy) -> None:
    installed.lock("3.0", digest="0" * 64)
    failed = installed.run("manage", "hello")

    assert failed.returncode == 1
    assert "zerg: cannot install what Zerg needs" in failed.stderr
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in failed.stderr
    assert not installed.stamp.exists()

    installed.lock("3.0")
    assert installed.run("manage", "hello").stdout.splitlines()[-1].startswith("3.0 ")


def test_it_works_through_a_link_from_any_folder(installed: Copy, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "there").symlink_to(installed.root / "zerg")
    (tmp_path / "bin" / "zerg").symlink_to("there")
    installed.lock("4.0")

    linked = installed.run("manage", "a b", command=tmp_path / "bin" / "zerg", cwd=tmp_path)

    assert linked.stdout.splitlines()[-1] == f"4.0 ['a b'] {tmp_path}"


def test_an_environment_whose_making_was_interrupted_is_completed(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    copy.lock("1.0")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", copy.root / ".venv"], check=True)

    assert copy.run("manage").stdout.splitlines()[-1].startswith("1.0 ")


def test_help_needs_no_installation(tmp_path: Path) -> None:
    copy = Copy(tmp_path)

    for arguments in ((), ("help",), ("--help",), ("up", "--help")):
        shown = copy.run(*arguments)
        assert shown.returncode == 0
        assert "./zerg up [--host 127.0.0.1] [--port 8000] [--no-local-model]" in shown.stdout
    assert not (copy.root / ".venv").exists()


def test_an_unknown_command_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    copy = Copy(tmp_path)

    refused = copy.run("upp")

    assert (refused.returncode, refused.stderr) == (
        2,
        "zerg: there is no command 'upp'; ./zerg help lists them\n",
    )
    assert not (copy.root / ".venv").exists()


def test_a_machine_with_an_old_python_is_told_what_is_needed(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("dirname", "readlink", "sh"):
        (tools / name).symlink_to(str(shutil.which(name)))
    old = tools / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 4\n')
    old.chmod(0o755)
    copy.environment = {"PATH": str(tools)}

    refused = copy.run("up")

    assert refused.returncode == 1
    assert refused.stderr == (
        "zerg: Zerg needs Python 3.11 or newer, and this machine has Python 3.9.2: "
        "install one, or name it with ZERG_PYTHON=/path/to/python\n"
    )


def test_a_python_that_cannot_make_environments_is_told_how_to_get_them(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n")
    copy.environment["PYTHONPATH"] = str(tmp_path)

    refused = copy.run("up")

    assert refused.returncode == 1
    assert "comes without ensurepip, so it cannot make .venv" in refused.stderr
    assert f"apt install python{sys.version_info.major}.{sys.version_info.minor}-venv" in refused.stderr
    assert not (copy.root / ".venv").exists()
