"""A window on a thread: some articles of one branch, whether the thread has fifty rows or ten thousand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from threads.models import Thread, ThreadMessage
from threads.pages import Item, items_of
from threads.transcript import ids_after, walk_back

COUNT = 50
AROUND = 25
ROWS_AT_MOST = 600
FOUND_BY_SEQ = 0
"""For a walk that begins at a number: the end of the branch does not matter."""


@dataclass(frozen=True)
class Window:
    """A stretch of a branch, oldest first.

    ``earlier`` and ``later`` are the query strings of what comes before and after it, empty at the ends of the branch;
    ``address`` is that of the branch.
    """

    items: list[Item]
    earlier: str
    later: str
    address: str


def newest(thread: Thread, leaf_id: int | None, address: str = "") -> Window:
    """The end of the branch that ends in ``leaf_id``."""
    previous, rows = _back(walk_back(thread.pk, leaf_id), COUNT)
    return _window(thread, rows, address, previous)


def older(thread: Thread, before: int, address: str = "") -> Window:
    """What the row with the number ``before`` follows."""
    previous, rows = _back(walk_back(thread.pk, FOUND_BY_SEQ, before), COUNT)
    return _window(thread, rows, address, previous, has_newer=True)


def newer(thread: Thread, after: int, leaf_id: int | None, address: str = "") -> Window:
    """What comes after the row with the number ``after`` on its way to ``leaf_id``."""
    rows, has_more = _on(ids_after(thread.pk, leaf_id, after), COUNT)
    return _window(thread, rows, address, has_newer=has_more)


def around(thread: Thread, message: ThreadMessage, leaf_id: int | None, address: str = "") -> Window:
    """The messages before and after ``message``, which is on the branch that ends in ``leaf_id``."""
    seq = message.seq or 0
    previous, before = _back(walk_back(thread.pk, FOUND_BY_SEQ, seq), AROUND)
    after, has_more = _on(ids_after(thread.pk, leaf_id, seq - 1), AROUND)
    return _window(thread, [*before, *after], address, previous, has_newer=has_more)


def _back(walk: Iterator[ThreadMessage], count: int) -> tuple[ThreadMessage | None, list[ThreadMessage]]:
    """The last ``count`` articles of a branch, with the results of their tools; and the row before them, if any."""
    rows: list[ThreadMessage] = []
    articles = 0
    for row in islice(walk, ROWS_AT_MOST):
        if articles >= count:
            return row, rows[::-1]
        rows.append(row)
        articles += row.role != ThreadMessage.Role.TOOL
    return None, rows[::-1]


def _on(ids: list[int], count: int) -> tuple[list[ThreadMessage], bool]:
    """The first ``count`` articles of the rows with these ids, with the results of their tools; whether there are more.

    Rows are read in two goes at most: few threads have so many results of tools that the first is not enough.
    """
    rows: list[ThreadMessage] = []
    articles = 0
    for part in (ids[: 2 * count], ids[2 * count : ROWS_AT_MOST]):
        found = ThreadMessage.objects.in_bulk(part) if part else {}
        for pk in part:
            articles += found[pk].role != ThreadMessage.Role.TOOL
            if articles > count:
                return rows, True
            rows.append(found[pk])
    return rows, len(ids) > ROWS_AT_MOST


def _window(
    thread: Thread,
    rows: list[ThreadMessage],
    address: str,
    previous: ThreadMessage | None = None,
    *,
    has_newer: bool = False,
) -> Window:
    has_older = bool(rows) and rows[0].parent_id is not None
    return Window(
        items_of(thread, rows, previous=previous),
        query("before", rows[0].seq, address) if has_older else "",
        query("after", rows[-1].seq, address) if rows and has_newer else "",
        address,
    )


def query(side: str, seq: int | None, address: str) -> str:
    """What a window beside another is asked for with."""
    return "&".join(filter(None, [address, f"{side}={seq or 0}"]))
