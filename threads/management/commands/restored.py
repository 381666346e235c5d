"""``./zerg manage restored``: to be called once after a backup was put back."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand

from threads.models import Thread


class Command(BaseCommand):
    help = "After a backup was restored: open pages let go of what they have seen since, and show what there is."

    def handle(self, *args: Any, **options: Any) -> None:
        """Versions go on from the backup's: a new epoch says that the same number means another change."""
        count = Thread.objects.update(epoch=secrets.token_hex(8))
        self.stdout.write(f"{count} threads have begun a new epoch.")
