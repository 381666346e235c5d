"""`./zerg lock`: resolves requirements*.in for every platform and pins the result with hashes."""

from __future__ import annotations

import os
import subprocess
import sys

from zerg_site.launch.install import ROOT, VENV
from zerg_site.launch.say import LaunchError, say

UV = "uv==0.13.9"
LOCKS: dict[str, tuple[str, ...]] = {
    "requirements": (),
    "requirements-dev": (),
    "requirements-local-model": ("--no-deps",),
}


def lock(*, upgrade: bool) -> int:
    """Keeps the versions that still fit, or takes the newest ones. Returns the exit code."""
    home = VENV / "lock"
    uv = home / "bin" / "uv"
    if not uv.exists():
        say("Installing uv, once …")
        _call([sys.executable, "-m", "venv", str(home)])
        _call([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", UV])
    os.environ["UV_CUSTOM_COMPILE_COMMAND"] = "./zerg lock"
    options = ["--universal", "--generate-hashes", "--python-version", "3.11", "--quiet"]
    for name, more in LOCKS.items():
        newest = ["--upgrade"] if upgrade else []
        _call([str(uv), "pip", "compile", *options, *more, *newest, f"{name}.in", "-o", f"{name}.txt"])
        say(f"Locked {name}.txt")
    return 0


def _call(command: list[str]) -> None:
    if subprocess.call(command, cwd=ROOT) != 0:
        raise LaunchError(f"this failed: {' '.join(command)}")
