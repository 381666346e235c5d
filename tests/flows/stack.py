"""Zerg as it runs in production, for one or many tests: broker, model server, web, worker and beat, each a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.flows.databases import Accounts, Database
from tests.flows.parts import ROOT, Part, clean_environment, wait_until
from zerg_site.launch import broker, ports, services
from zerg_site.launch.home import Home

START_SECONDS = 60.0
PARTS = ("broker", "fakellm", "web", "worker", "beat")


class Stack:
    """``settings`` are environment variables. Processes are known by name; see PARTS."""

    def __init__(self, folder: Path, database: Database, settings: Mapping[str, str] | None = None) -> None:
        self.accounts: Accounts = database.accounts
        self.data = folder / "data"
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        self.database = database.copy(self.data)
        self._home = Home(self.data)
        self._home.make()
        self._broker = broker.make(self._home)
        (self._listener,) = ports.listen("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"http://localhost:{self.port}"
        self.base = f"http://127.0.0.1:{self.port}"
        self.redis_url = self._broker.url
        self.parts: dict[str, Part] = {}
        self._settings = dict(settings or {})
        self.model_url = ""

    # Life

    def start(self) -> Stack:
        """Starts everything and waits until /readyz says so."""
        began = time.monotonic()
        try:
            self._start_broker_and_model()
            self._add("web", services.web(self._listener), passed=(self._listener.fileno(),))
            self._add("worker", services.worker("flows"))
            self._add("beat", services.beat(self.data))
            for name in ("web", "worker", "beat"):
                self.parts[name].start()
            self.until_ready()
        except BaseException:
            print(self.tails())
            self.close()
            raise
        print(f"\nstack {self.database.url.split(':')[0]} ready in {time.monotonic() - began:.1f} s")
        return self

    def _start_broker_and_model(self) -> None:
        self._add("broker", self._broker.program.command)
        port_file = self.data / "fakellm.port"
        self._add("fakellm", (sys.executable, "-m", "tests.fakellm", "--port", "0", "--port-file", str(port_file)))
        self.start_broker()
        self.parts["fakellm"].start()
        wait_until(port_file.exists, "the model server listens")
        self.model_url = f"http://127.0.0.1:{port_file.read_text()}"

    def _add(self, name: str, command: tuple[str, ...], passed: tuple[int, ...] = ()) -> None:
        self.parts[name] = Part(name, command, self.logs / f"{name}.log", self.environment(), passed)

    def environment(self) -> dict[str, str]:
        """What every process of this Zerg is started with."""
        own = {
            "ZERG_DATA_DIR": str(self.data),
            "DATABASE_URL": self.database.url,
            "REDIS_URL": self.redis_url,
            "ZERG_PUBLIC_ORIGIN": self.origin,
        }
        if self.model_url:
            own["OPENAI_BASE_URL"] = f"{self.model_url}/v1"
        return clean_environment(**own, **self._settings)

    def start_broker(self) -> None:
        """Starts the broker and waits until it takes commands."""
        assert self._broker.program.before_start is not None
        self._broker.program.before_start(0)
        self.parts["broker"].start()
        wait_until(self._broker.answers, "the broker answers")

    def restart(self, name: str) -> None:
        """Starts a part that was killed or stopped, with the same settings; does not wait until it is of use."""
        if name == "broker":
            self.start_broker()
        else:
            self.parts[name].start()

    def add_another(self, name: str) -> Part:
        """One more process of a kind that is there already; it ends with the stack."""
        number = sum(1 for part in self.parts if part.startswith(name)) + 1
        other = f"{name}-{number}"
        if name == "beat":
            folder = self.data / other
            folder.mkdir(exist_ok=True)
            command = services.beat(folder)
        else:
            command = services.worker(f"flows-{number}")
        self._add(other, command)
        self.parts[other].start()
        return self.parts[other]

    def close(self) -> None:
        """Ends everything at once. A stack leaves no process behind."""
        for part in self.parts.values():
            part.kill()
        self._listener.close()

    # Watching

    @property
    def database_pid(self) -> int | None:
        """The database's server, if it has one of its own."""
        return self.database.server_pid

    def readiness(self) -> tuple[int, dict[str, str]]:
        """The status of /readyz and its parts; (0, {}) when web does not answer."""
        try:
            with urllib.request.urlopen(f"{self.base}/readyz", timeout=3) as answer:
                return answer.status, json.load(answer)["parts"]
        except urllib.error.HTTPError as error:
            body = error.read()
            try:
                return error.code, json.loads(body)["parts"]
            except ValueError:
                return error.code, {}
        except OSError:
            return 0, {}

    def until_ready(self, seconds: float = START_SECONDS) -> None:
        wait_until(self._is_ready, "everything is ready", seconds, every=0.1)

    def _is_ready(self) -> bool:
        for name, part in self.parts.items():
            assert part.is_running, f"{name} has ended:\n{part.tail()}"
        return self.readiness()[0] == 200

    def manage(self, *words: str) -> str:
        """The output of ``manage.py`` inside this Zerg's environment."""
        command = [sys.executable, str(ROOT / "manage.py"), *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, query: str) -> list[Any]:
        """The rows of a query that both databases understand."""
        return list(self.database.rows(query))

    def tails(self) -> str:
        """The ends of all logs, for a test that failed."""
        return "\n".join(f"---- {name}\n{part.tail()}" for name, part in self.parts.items())
