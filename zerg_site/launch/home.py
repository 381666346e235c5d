"""The data directory: who runs on it (``up.lock``), where its parts listen (``run.json``), and its logs."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from zerg_site.launch.install import ROOT
from zerg_site.launch.say import LaunchError

DYING = 15.0  # seconds that the parts of an `up` that was killed may take to go


@dataclass(frozen=True)
class RunFile:
    """What a running ``./zerg up`` tells other commands. ``pid`` is the process that people stop."""

    pid: int
    origin: str
    redis_url: str
    local_model_url: str
    local_model_name: str

    def environment(self) -> dict[str, str]:
        """The variables by which the parts find each other."""
        model = {"ZERG_LOCAL_MODEL_URL": self.local_model_url, "ZERG_LOCAL_MODEL_NAME": self.local_model_name}
        found = {"REDIS_URL": self.redis_url, "ZERG_PUBLIC_ORIGIN": self.origin, **model}
        return {name: value for name, value in found.items() if value}


class Home:
    """One data directory, private to its owner (mode 0700)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.run_file = path / "run.json"
        self._lock: int | None = None

    @classmethod
    def from_environment(cls) -> Home:
        """$ZERG_DATA_DIR, or ``var`` beside the command. It is not made before something is written there."""
        return cls(Path(os.environ.get("ZERG_DATA_DIR") or ROOT / "var"))

    def make(self) -> None:
        """Makes the directory. Raises LaunchError when it cannot be used."""
        try:
            self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.stat().st_uid == os.getuid():
                self.path.chmod(0o700)
        except OSError as error:
            raise LaunchError(f"the data directory {self.path} cannot be used: {error.strerror}") from error

    def occupy(self) -> None:
        """Takes the directory until this process ends. Raises LaunchError when another ``up`` has it."""
        handle = os.open(self.path / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + DYING
        while not _locked(handle):
            holder = self._recorded()
            if (holder and _alive(holder.pid)) or time.monotonic() > deadline:
                os.close(handle)
                raise LaunchError(_already_running(self.path, holder))
            time.sleep(0.1)  # its command was killed, and its parts are going
        self._lock = handle

    def announce(self, run: RunFile) -> None:
        """Writes ``run.json``, readable by its owner only: it holds the broker's password."""
        draft = self.path / "run.json.draft"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(run), file, indent=1)
        draft.replace(self.run_file)

    def withdraw(self) -> None:
        self.run_file.unlink(missing_ok=True)

    def running(self) -> RunFile | None:
        """The ``up`` that runs on this directory now, if one does."""
        run = self._recorded()
        return run if run and _alive(run.pid) and self._is_occupied() else None

    def _is_occupied(self) -> bool:
        try:
            handle = os.open(self.path / "up.lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _locked(handle)
        finally:
            os.close(handle)

    def _recorded(self) -> RunFile | None:
        try:
            return RunFile(**json.loads(self.run_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _already_running(path: Path, holder: RunFile | None) -> str:
    where = f"at {holder.origin}, process {holder.pid}, " if holder else ""
    return (
        f"Zerg already runs on this data directory ({where}{path}): stop that one first, "
        "or give this one a directory of its own with ZERG_DATA_DIR"
    )
