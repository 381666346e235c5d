"""Tests of the test's own process, once more on PostgreSQL: the suite runs them on SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.db import connection

from tests.flows.databases import Postgres


def assert_they_pass_there(folder: Path, *files: Path) -> None:
    """Starts a server in ``folder`` and runs ``files`` on it. Within such a run, there is nothing more to do."""
    if connection.vendor == "postgresql":
        return
    server = Postgres(folder)
    try:
        again = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *map(str, files)]
        environment = {**os.environ, "DATABASE_URL": server.url}
        done = subprocess.run(again, env=environment, capture_output=True, text=True, check=False)
    finally:
        server.close()
    assert done.returncode == 0, done.stdout
