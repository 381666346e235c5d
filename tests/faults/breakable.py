"""A PostgreSQL server that tests may cut connections of, stop and start again."""

from __future__ import annotations

import signal

from tests.flows.databases import Postgres
from tests.flows.parts import wait_until

TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname LIKE 'zerg_%'
"""


class BreakablePostgres(Postgres):
    def cut_connections(self) -> None:
        """Ends every connection that Zerg has, whatever is under way on it."""
        self._execute(TERMINATE)

    def stop(self, number: int) -> None:
        """Ends the server with this signal (SIGINT: fast, what a restart does; SIGKILL: as in a crash)."""
        if number == signal.SIGKILL:
            self._server.kill()
        else:
            self._server.stop(number)

    def start(self) -> None:
        """Starts it again, and waits until it answers."""
        wait_until(self._comes_up, "PostgreSQL answers again", 30, every=0.1)

    def _comes_up(self) -> bool:
        if not self._server.is_running:  # also when it refused: orphans of the one before hold its memory for a moment
            self._server.start()
        return self._answers()
