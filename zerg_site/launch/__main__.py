from __future__ import annotations

import sys

# Before any import of ours: a .venv that was made with an older Python could not even read it.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"zerg: {sys.prefix} holds Python {sys.version.split()[0]}: remove it and start again")

from zerg_site.launch.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
