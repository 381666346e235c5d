"""`./zerg up`: broker, local model, database, web, worker and beat, from nothing to a sign-in link."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from zerg_site.launch import broker, install, ports, prepared, readiness, screen, services
from zerg_site.launch.environment import setting
from zerg_site.launch.guard import guarded
from zerg_site.launch.home import Home, RunFile
from zerg_site.launch.local_model import LocalModel, chosen_model
from zerg_site.launch.program import Program
from zerg_site.launch.say import LaunchError, near, say, tail
from zerg_site.launch.supervisor import Stop, Supervisor

SLOW = 15.0  # seconds after which people want to know what they wait for
BROKER_PATIENCE = 30.0
HOPELESS = 5  # failures in a row of the web, before it was ever ready
ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


@dataclass(frozen=True)
class UpOptions:
    host: str
    port: int | None
    local_model: bool
    here: Path


def up(options: UpOptions) -> int:
    """Returns the exit code: 0 after a clean stop. Raises LaunchError before anything is started."""
    home = Home.from_environment()
    home.make()
    model = _model_to_serve() if options.local_model and not _has_provider() else None
    os.umask(0o077)
    return guarded(lambda front, pid: _Up(options, home, model, pid).supervise(front))


def _has_provider() -> bool:
    return bool(setting(os.environ, "OPENAI_BASE_URL") or setting(os.environ, "OPENAI_API_KEY"))


def _model_to_serve() -> LocalModel | None:
    """The model for those who have no key; None, with a line that says so, where it cannot be installed."""
    gguf = setting(os.environ, "ZERG_LOCAL_GGUF")
    try:
        install.ensure(install.LOCAL_MODEL)
    except LaunchError:
        log = install.log_of(install.LOCAL_MODEL)
        say(f"Going on without the tiny offline demo model, which cannot be installed here: see {log}.")
        return None
    return chosen_model(gguf)


class _Up:
    def __init__(self, options: UpOptions, home: Home, model: LocalModel | None, pid: int) -> None:
        self.options, self.home, self.model, self.pid = options, home, model, pid
        self.model_port = ports.quiet_port() if model else 0
        self.environment: dict[str, str] = {}

    def supervise(self, front: int) -> int:
        self.home.occupy()
        (self.listener,) = ports.listen(self.options.host, self.options.port)
        self.port: int = self.listener.getsockname()[1]
        self.origin = setting(os.environ, "ZERG_PUBLIC_ORIGIN").rstrip("/") or f"http://localhost:{self.port}"
        if self.options.port is None and self.port != ports.FIRST_PORT:
            say(f"Port {ports.FIRST_PORT} is taken by another program: this is port {self.port}.")
        try:
            with Supervisor(front, self.options.here) as self.supervisor:
                try:
                    self._start()
                    while True:
                        self.supervisor.pump(60)
                except Stop:
                    say("Stopping …")
                finally:
                    self.listener.close()  # callers are refused from now on, instead of waiting
        finally:
            self.home.withdraw()
        say("Stopped.")
        return 0

    def _start(self) -> None:
        say("Starting …")
        self._start_helpers()
        if prepared.is_prepared(self.home):
            self._start_services()
            account = self._prepare(nice=5)  # the services go first: nobody waits for this but the screen
        else:
            account = self._prepare()
            self._start_services()
        self._wait_until_ready()
        for line in screen.lines(
            origin=self.origin,
            account=account,
            offline_model=self.model.title if self.model else None,
            data=self.home.path,
            logs=self.home.logs,
            here=self.options.here,
            open_to_all=self.options.host in ANY_ADDRESS and not setting(os.environ, "ZERG_PUBLIC_ORIGIN"),
        ):
            say(line)

    def _start_helpers(self) -> None:
        """The broker and the model load while the database is prepared."""
        redis_url = setting(os.environ, "REDIS_URL")
        self.broker = None if redis_url else broker.make(self.home)
        if self.broker:
            self.supervisor.start(self.broker.program)
            redis_url = self.broker.url
        model_url = ""
        if self.model:
            model_url = f"http://127.0.0.1:{self.model_port}/v1"
            # The demo model thinks as fast as the processors have nothing better to do.
            self.supervisor.start(self._program("model", self.model.command(self.model_port), nice=5))
        run = RunFile(self.pid, self.origin, redis_url, model_url, self.model.alias if self.model else "")
        self.environment = {
            **run.environment(),
            "ZERG_DATA_DIR": str(self.home.path),
            "PYTHONUNBUFFERED": "1",
        }
        self.home.announce(run)

    def _prepare(self, nice: int = 0) -> screen.FirstAccount:
        answer, writer = os.pipe()
        command = (sys.executable, "-m", "zerg_site.launch.prepare", str(writer))
        code = self.supervisor.run(self._program("prepare", command, nice, passed=(writer,)))
        os.close(writer)
        with os.fdopen(answer, encoding="utf-8") as file:
            text = file.read()
        if code != 0:
            raise self._failed("prepare", "the database could not be prepared")
        prepared.remember(self.home)
        return screen.FirstAccount.from_setup(text)

    def _start_services(self) -> None:
        if self.broker and not self.supervisor.wait_until(self.broker.answers, BROKER_PATIENCE):
            raise self._failed("broker", "the broker does not start")
        web = services.web(self.listener)
        self.supervisor.start(self._program("web", web, passed=(self.listener.fileno(),)))
        self.supervisor.start(self._program("worker", services.worker("zerg")))
        self.supervisor.start(self._program("beat", services.beat(self.home.path)))

    def _wait_until_ready(self) -> None:
        seen = readiness.Readiness(False)

        def is_ready() -> bool:
            nonlocal seen
            if self.supervisor.children["web"].failures >= HOPELESS:
                raise self._failed("web", "web cannot start")
            seen = readiness.ask(self._reachable_host(), self.port, self.origin)
            return seen.ready

        while not self.supervisor.wait_until(is_ready, SLOW, every=0.2):
            say(f"Not ready yet: {seen.why}. Its logs are in {near(self.home.logs, self.options.here)}.")
        if self.model and not self.supervisor.wait_until(self._model_is_loaded, SLOW, every=0.1):
            say("The offline demo model is still loading.")

    def _model_is_loaded(self) -> bool:
        return readiness.model_is_loaded(self.model_port)

    def _program(self, name: str, command: tuple[str, ...], nice: int = 0, passed: tuple[int, ...] = ()) -> Program:
        return Program(name, command, self.environment, self._log(name), nice=nice, passed=passed)

    def _log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def _failed(self, name: str, what: str) -> LaunchError:
        log = self._log(name)
        return LaunchError(f"{what}; the end of {near(log, self.options.here)}:\n{tail(log)}")

    def _reachable_host(self) -> str:
        host: str = self.listener.getsockname()[0]
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
