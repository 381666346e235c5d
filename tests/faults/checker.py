"""Zerg's own check, kept at hand: ``python -m tests.faults.checker``. Runs ``zerg_check`` for each line that comes in.

What it found goes out as one line of JSON. A process of its own for each check would take a second each.
"""

from __future__ import annotations

import io
import json
import os
import sys


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "zerg_site.settings"
    import django

    django.setup()
    from django.core.management import CommandError, call_command
    from django.db import connections

    for _ in sys.stdin:
        said = io.StringIO()
        try:
            call_command("zerg_check", stdout=said)
        except CommandError as error:
            said.write(str(error))
        connections.close_all()
        print(json.dumps(said.getvalue()), flush=True)


if __name__ == "__main__":
    main()
