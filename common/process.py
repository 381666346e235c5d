"""What a process that lives long and has an event loop beside threads asks of its interpreter."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys

YOUNG_OBJECTS = 5_000
"""So many more made than freed before the collector looks: a run, or a page, makes thousands, and few in cycles."""

TURN_SECONDS = 0.0005
"""How long a busy thread keeps others waiting. After each answer of the database a thread waits for its turn: with
Python's own 5 ms, beside a loop that streams, a page of twenty queries takes a tenth of a second longer."""

M_ARENA_MAX = -8
ARENAS = 2


def settle() -> None:
    """Called when all is loaded: what is here now stays, and the collector need not look through it ever again."""
    with contextlib.suppress(AttributeError, OSError):  # glibc's, and only there
        # By default each thread gets a heap of its own, and keeps what its biggest request took.
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
    sys.setswitchinterval(TURN_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
