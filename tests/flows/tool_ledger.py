"""Tools that write down each call before and after it, for stacks: ``ZERG_TOOLS=tests.flows.tool_ledger``.

The ledger is what the world saw: it survives whatever kills the worker. One tool for each effect; ``seconds`` is how
long a call takes, and ``word`` tells the calls of one test from those of others.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine import ToolContext, ToolError, tool

NAME = "tool_ledger.jsonl"
What = Literal["began", "ended", "cancelled"]


@dataclass(frozen=True)
class Entry:
    """``what`` happened to a call of ``tool``, at ``time`` (seconds since the epoch) in the process ``pid``."""

    tool: str
    word: str
    what: What
    key: str
    pid: int
    time: float


def ledger(data: Path, word: str = "") -> list[Entry]:
    """The entries of a Zerg with this data directory, oldest first; only those of ``word``, if given."""
    path = data / NAME
    lines = path.read_text().splitlines() if path.exists() else []
    entries = [Entry(**json.loads(line)) for line in lines]
    return [entry for entry in entries if word in ("", entry.word)]


def _write(tool_name: str, word: str, what: What, context: ToolContext) -> None:
    entry = Entry(tool_name, word, what, context.key, os.getpid(), time.time())
    # One write of one line, so that processes do not mix theirs.
    handle = os.open(Path(os.environ["ZERG_DATA_DIR"]) / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, (json.dumps(vars(entry)) + "\n").encode())
    os.close(handle)


async def _work(tool_name: str, context: ToolContext, word: str, seconds: float, fails: bool) -> str:
    _write(tool_name, word, "began", context)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        _write(tool_name, word, "cancelled", context)
        raise
    _write(tool_name, word, "ended", context)
    if fails:
        raise ToolError(f"{tool_name} {word} did not work")
    return f"{tool_name} {word} is done"


@tool(effect="read")
async def look(context: ToolContext, word: str = "", seconds: float = 0, fails: bool = False) -> str:
    """Looks and changes nothing."""
    return await _work("look", context, word, seconds, fails)


@tool(effect="idempotent")
async def put(context: ToolContext, word: str = "", seconds: float = 0, fails: bool = False) -> str:
    """Changes something, once for each key."""
    return await _work("put", context, word, seconds, fails)


@tool(effect="unsafe")
async def post(context: ToolContext, word: str = "", seconds: float = 0, fails: bool = False) -> str:
    """Changes something each time it is called."""
    return await _work("post", context, word, seconds, fails)
