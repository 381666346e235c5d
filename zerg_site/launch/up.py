"""`./zerg up`: broker, local model, database, web, worker and beat, from nothing to a sign-in link."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from zerg_site.launch import broker, install, ports, readiness, screen, services
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
        self.began = time.monotonic()
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
        account = self._prepare()
        self._start_services()
        self._wait_until_ready()
        for line in screen.lines(
            origin=self.origin,
            account=account,
            model=self._model_line(),
            data=self.home.path,
            logs=self.home.logs,
            here=self.options.here,
            open_to_all=self.options.host in ANY_ADDRESS and "ZERG_PUBLIC_ORIGIN" not in os.environ,
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
            port = ports.quiet_port()
            model_url = f"http://127.0.0.1:{port}/v1"
            self._add("model", self.model.command(port), grace=2)
        run = RunFile(self.pid, self.origin, redis_url, model_url, self.model.alias if self.model else "")
        self.environment = {
            **run.environment(),
            "ZERG_DATA_DIR": str(self.home.path),
            "PYTHONUNBUFFERED": "1",
        }
        self.home.announce(run)

    def _prepare(self) -> screen.FirstAccount:
        answer, writer = os.pipe()
        program = Program(
            "prepare",
            (sys.executable, "-m", "zerg_site.launch.prepare", str(writer)),
            self.environment,
            self._log("prepare"),
            passed=(writer,),
        )
        code = self.supervisor.run(program)
        os.close(writer)
        with os.fdopen(answer, encoding="utf-8") as file:
            text = file.read()
        if code != 0:
            raise self._failed("prepare", "the database could not be prepared")
        return screen.FirstAccount.from_setup(text)

    def _start_services(self) -> None:
        if self.broker and not self.supervisor.wait_until(self.broker.answers, BROKER_PATIENCE):
            raise self._failed("broker", "the broker does not start")
        self._add("web", services.web(self.listener), passed=(self.listener.fileno(),))
        self._add("worker", services.worker("zerg"))
        self._add("beat", services.beat(self.home.path))

    def _wait_until_ready(self) -> None:
        seen = readiness.Readiness(False)

        def is_ready() -> bool:
            nonlocal seen
            if self.supervisor.children["web"].failures >= HOPELESS:
                raise self._failed("web", "web cannot start")
            seen = readiness.ask(self._reachable_host(), self.port, self.origin)
            return seen.ready

        while not self.supervisor.wait_until(is_ready, SLOW, every=0.1):
            say(f"Not ready yet: {seen.why}. Its logs are in {near(self.home.logs, self.options.here)}.")

    def _add(self, name: str, command: tuple[str, ...], *, grace: float = 10, passed: tuple[int, ...] = ()) -> None:
        log = self._log(name)
        self.supervisor.start(Program(name, command, self.environment, log, grace=grace, passed=passed))

    def _log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def _failed(self, name: str, what: str) -> LaunchError:
        log = self._log(name)
        return LaunchError(f"{what}; the end of {near(log, self.options.here)}:\n{tail(log)}")

    def _reachable_host(self) -> str:
        host: str = self.listener.getsockname()[0]
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104

    def _model_line(self) -> str:
        if self.model:
            return f"{self.model.title}; add a real one under Settings, or start with OPENAI_API_KEY"
        if _has_provider():
            base = setting(os.environ, "OPENAI_BASE_URL") or "https://api.openai.com/v1"
            return f"{setting(os.environ, 'ZERG_DEFAULT_MODEL') or 'the default'} at {urlsplit(base).netloc}"
        return "none yet: add one under Settings, or start with OPENAI_API_KEY"
