"""Remembers which migrations a database has had, so that a second start need not wait to hear that there are none.

Only the order of a start depends on it: migrations run at every start. A wrong answer (a database that was changed
behind our back) costs a moment of errors in the logs, not data.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from zerg_site.launch.environment import setting
from zerg_site.launch.home import Home
from zerg_site.launch.install import ROOT, RUNTIME


def is_prepared(home: Home) -> bool:
    """True when this database was prepared with these very migrations."""
    try:
        return _note(home).read_text(encoding="utf-8") == _fingerprint(home)
    except OSError:
        return False


def remember(home: Home) -> None:
    _note(home).write_text(_fingerprint(home), encoding="utf-8")


def _note(home: Home) -> Path:
    return home.path / "prepared"


def _fingerprint(home: Home) -> str:
    digest = hashlib.sha256()
    for file in (ROOT / RUNTIME.lock, *sorted(ROOT.glob("*/migrations/*.py"))):
        digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    digest.update(setting(os.environ, "DATABASE_URL").encode())
    database = home.path / "zerg.sqlite3"
    digest.update(str(database.stat().st_ino if database.exists() else 0).encode())  # another file, another story
    return digest.hexdigest()
