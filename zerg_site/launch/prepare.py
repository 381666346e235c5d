"""Brings the database up to date and makes the first account, in one process: Django is loaded once for both.

    python -m zerg_site.launch.prepare FILE_DESCRIPTOR

What ``setup`` prints goes to the descriptor, for it holds a password that must not stay in a log.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys


def main() -> int:
    from django.core.management import call_command

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zerg_site.settings")
    import django

    django.setup()
    call_command("migrate", interactive=False)
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        call_command("setup")
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as file:
        file.write(answer.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
