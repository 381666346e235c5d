"""Runs small programs under Zerg's supervisor: python -m tests.launch.family '{"name": ["command"]}' FOLDER GRACE"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from zerg_site.launch.guard import guarded
from zerg_site.launch.program import Program
from zerg_site.launch.supervisor import Stop, Supervisor


def main() -> int:
    listing, folder, grace = json.loads(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

    def supervise(front: int, _pid: int) -> int:
        with Supervisor(front, folder) as supervisor:
            try:
                for name, command in listing.items():
                    supervisor.start(Program(name, tuple(command), log=folder / f"{name}.log", grace=grace))
                while True:
                    supervisor.pump(60)
            except Stop:
                return 0

    return guarded(supervise)


if __name__ == "__main__":
    sys.exit(main())
