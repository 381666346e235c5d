"""How tests are dealt out to processes that run side by side (loaded with ``-p tests.side_by_side``)."""

from __future__ import annotations

import os
from zlib import crc32

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

DATABASES = ("sqlite", "postgres")


class WholeStacks(LoadFileScheduling):  # type: ignore[misc]  # xdist's classes are untyped
    """A file stays together, as its tests share their fixtures; so do all flows on one database, which share stacks,
    all faults on one, and all of the browser on one.

    Dealt out by file, each file would start both databases and the stacks on them anew.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, rest = nodeid.partition("::")
        parameters = rest.partition("[")[2].rstrip("]").split("-")
        for database in DATABASES:
            for folder in ("flows", "faults", "browser"):
                if file.startswith(f"tests/{folder}/") and database in parameters:
                    return f"{folder} on {database}"
        return file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeStacks | None:
    return WholeStacks(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the whole suite, what the browser shows of a promise is looked at on both databases, all else on one of them.

    Flows and pages are tested on both without it; ``./zerg test --long``, or a choice of tests, runs each on both.
    """
    if hasattr(config, "workerinput") and not os.environ.get("ZERG_TEST_LONG"):
        left_out = [item for item in items if not _is_wanted(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _is_wanted(item)]


def _is_wanted(item: pytest.Item) -> bool:
    name, _, parameters = item.nodeid.partition("[")
    if not name.startswith("tests/browser/") or "::test_fact" in name:
        return True
    others = set(DATABASES) - {DATABASES[crc32(name.encode()) // 16 % len(DATABASES)]}
    return not others & set(parameters.rstrip("]").split("-"))
