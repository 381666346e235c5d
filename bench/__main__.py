"""`python -m bench [ROWS…] [--quick] [--on sqlite|postgres]`: starts what it needs, measures, prints a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from bench import machine, pages, schedules, start, streams
from bench.report import Row, table
from bench.rig import DATABASES

BENCHES: dict[str, Callable[[bool, tuple[str, ...]], list[Row]]] = {
    "streams": lambda quick, databases: streams.measure(quick=quick, databases=databases),
    "pages": lambda quick, databases: pages.measure(quick=quick, databases=databases),
    "schedules": lambda quick, databases: schedules.measure(quick=quick, databases=databases),
    "start": lambda quick, _: start.measure(quick=quick),
}


def main(arguments: Sequence[str]) -> int:
    """Prints the rows that were asked for; all of them by default. Returns 0: a missed target is a result."""
    parser = argparse.ArgumentParser(prog="./zerg bench", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[[], *BENCHES], metavar="ROWS", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes: to see that it works")
    parser.add_argument("--on", choices=DATABASES, help="one database only")
    options = parser.parse_args(arguments)
    databases = (options.on,) if options.on else DATABASES
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine.describe()}", flush=True)
    rows: list[Row] = []
    for name in options.rows or BENCHES:
        print(f"{name} …", flush=True)
        rows += BENCHES[name](options.quick, databases)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
