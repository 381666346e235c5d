"""How tests are dealt out to processes that run side by side (loaded with ``-p tests.side_by_side``)."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

DATABASES = ("sqlite", "postgres")


class WholeStacks(LoadFileScheduling):  # type: ignore[misc]  # xdist's classes are untyped
    """A file stays together, as its tests share their fixtures; so do all flows on one database, which share stacks.

    Dealt out by file, each file would start both databases and the stacks on them anew. A browser's file is parted by
    database, so that the two halves can run at once.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, rest = nodeid.partition("::")
        parameters = rest.partition("[")[2].rstrip("]").split("-")
        for database in DATABASES:
            if file.startswith("tests/flows/") and database in parameters:
                return f"flows on {database}"
            if file.startswith("tests/browser/") and database in parameters:
                return f"{file} on {database}"
        return file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeStacks | None:
    return WholeStacks(config, log) if config.getoption("dist") == "loadfile" else None
