"""``./zerg manage zerg_check``: a line for each invariant that does not hold, and exit code 1. Changes nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triggers.invariants import CHECKS, breaks


class Command(BaseCommand):
    help = "Verifies the invariants on the live database."

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        for line in breaks():
            found += 1
            self.stdout.write(line)
        if found:
            raise CommandError(f"{found} breaks of {len(CHECKS)} invariants.", returncode=1)
        self.stdout.write(f"All {len(CHECKS)} invariants hold.")
