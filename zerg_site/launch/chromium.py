"""Finds the browser for the browser tests, or installs it where the machine allows that."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from zerg_site.launch.install import VENV
from zerg_site.launch.say import LaunchError, say, tail

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def find_or_install() -> Path:
    """The browser's program ($ZERG_TEST_CHROMIUM if that is set). Raises LaunchError with what to do."""
    named = os.environ.get("ZERG_TEST_CHROMIUM")
    if named:
        return Path(named)
    browser = find()
    if browser is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
        browser = find()
    if browser is None:
        raise LaunchError(
            "the browser tests need Chromium: install it (on Debian `sudo apt-get install chromium`), "
            "or name one with ZERG_TEST_CHROMIUM=/path/to/chromium"
        )
    return browser


def find() -> Path | None:
    """Chromium or Chrome as this machine has it."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    return MAC if MAC.exists() else None


def _install() -> None:
    log = VENV / "chromium.install.log"
    say("Installing Chromium for the browser tests, once …")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("wb") as file:
        for step in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            if subprocess.call(["apt-get", *step], stdout=file, stderr=subprocess.STDOUT, env=quiet) != 0:
                raise LaunchError(f"apt-get {step[0]} failed; the end of {log}:\n{tail(log)}")
