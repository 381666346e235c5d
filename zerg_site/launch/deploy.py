"""`./zerg web`, `worker` and `beat`, single services for real deployments; `manage`, Django's command line.

One process replaces this one, so that systemd or a container supervises it directly. Several are supervised
here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from zerg_site.launch import ports, services
from zerg_site.launch.environment import setting
from zerg_site.launch.guard import guarded
from zerg_site.launch.home import Home
from zerg_site.launch.install import ROOT
from zerg_site.launch.program import Program
from zerg_site.launch.say import LaunchError, say
from zerg_site.launch.supervisor import Stop, Supervisor

WORKER_GRACE = 45.0  # seconds for answers that are being written


def web(host: str, port: int, processes: int) -> int:
    _require_shared_parts("web", processes)
    listeners = ports.listen(host, port, processes)
    if processes == 1:
        listeners[0].set_inheritable(True)
        _become(services.web(listeners[0]))
    programs = [
        Program(f"web {number}", services.web(listener), passed=(listener.fileno(),))
        for number, listener in enumerate(listeners, 1)
    ]
    return _supervised(programs)


def worker(processes: int, concurrency: int | None) -> int:
    """``concurrency`` is how many runs each process works on at the same time; None: what the settings say."""
    _require_shared_parts("worker", processes)
    if concurrency is not None:
        os.environ["ZERG_WORKER_RUNS"] = str(concurrency)
    if processes == 1:
        _become(services.worker(services.worker_name()))
    name = services.worker_name()
    programs = [
        Program(f"worker {number}", services.worker(f"{name}-{number}"), grace=WORKER_GRACE)
        for number in range(1, processes + 1)
    ]
    return _supervised(programs)


def beat() -> int:
    _require_shared_parts("beat", 1)
    home = Home.from_environment()
    home.make()
    _become(services.beat(home.path))


def manage(arguments: Sequence[str], here: Path) -> int:
    """``manage.py`` as if it were called from where the person stands."""
    use_running_parts()
    os.chdir(here)
    _become((sys.executable, str(ROOT / "manage.py"), *arguments))


def use_running_parts() -> None:
    """Where the environment says nothing, the parts of the ``up`` that runs on this data directory serve."""
    home = Home.from_environment()
    os.environ["ZERG_DATA_DIR"] = str(home.path)
    run = home.running()
    for name, value in (run.environment() if run else {}).items():
        if not setting(os.environ, name):
            os.environ[name] = value


def _require_shared_parts(service: str, processes: int) -> None:
    use_running_parts()
    if not setting(os.environ, "REDIS_URL"):
        raise LaunchError(
            f"{service} needs a broker: set REDIS_URL, for example redis://127.0.0.1:6379/0, or use ./zerg up"
        )
    if processes > 1 and not setting(os.environ, "DATABASE_URL"):
        raise LaunchError(
            f"{processes} {service} processes need a shared database: set DATABASE_URL, for example "
            "postgres://user:password@127.0.0.1/zerg"
        )


def _become(command: tuple[str, ...]) -> NoReturn:
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606


def _supervised(programs: Sequence[Program]) -> int:
    return guarded(_supervise_until_stopped(programs))


def _supervise_until_stopped(programs: Sequence[Program]) -> Callable[[int, int], int]:
    def supervise(front: int, _pid: int) -> int:
        with Supervisor(front) as supervisor:
            try:
                for program in programs:
                    supervisor.start(program)
                while True:
                    supervisor.pump(60)
            except Stop:
                say("Stopping …")
        return 0

    return supervise
