"""The services of Zerg as command lines: web, worker, beat. `up` and deployments start the same ones."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

# Seconds. An answer may stream for as long as its run lasts; a page that hangs is ended by its own timeouts.
HTTP_TIMEOUT = 3600
APPLICATION_CLOSE_TIMEOUT = 60
PING_EVERY = 20
PING_TIMEOUT = 30
# Celery's own threads only hand runs over, and do the clock's work. How many runs go on at once: ZERG_WORKER_RUNS.
WORKER_THREADS = 4


def web(listener: socket.socket) -> tuple[str, ...]:
    """Serves on ``listener``, which must be passed on: in it callers wait while the process restarts."""
    return (
        *_python("daphne"),
        *("--fd", str(listener.fileno())),
        *("--http-timeout", str(HTTP_TIMEOUT)),
        *("--application-close-timeout", str(APPLICATION_CLOSE_TIMEOUT)),
        *("--ping-interval", str(PING_EVERY)),
        *("--ping-timeout", str(PING_TIMEOUT)),
        *("--websocket_timeout", "-1"),
        "--no-server-name",
        *("--verbosity", "0"),
        "zerg_site.asgi:application",
    )


def worker(name: str) -> tuple[str, ...]:
    """One process, many runs: they wait for the network, in one event loop."""
    return (
        *_celery("worker"),
        *("--pool", "threads", "--concurrency", str(WORKER_THREADS)),
        *("--hostname", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    )


def beat(data: Path) -> tuple[str, ...]:
    return (
        *_celery("beat"),
        "--schedule",
        str(data / "beat-schedule"),
        "--pidfile",
        "",
        "--loglevel",
        "WARNING",
    )


def worker_name() -> str:
    """Distinct from that of every other worker process on this host."""
    return f"zerg-{os.getpid()}"


def _celery(command: str) -> tuple[str, ...]:
    return (*_python("celery"), "--app", "zerg_site", "--quiet", command)


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)
