"""What a call of a tool did, in words: “Read example.org”, “Searched for cheap flights”, “Used deploy”."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import shorten
from urllib.parse import urlsplit

OBJECT_CHARS = 60


@dataclass(frozen=True)
class Deed:
    """What tools whose name matches ``name`` do to the argument named in ``what``, in three tenses."""

    name: re.Pattern[str]
    what: tuple[str, ...]
    doing: str
    done: str
    failed: str


READS = re.compile(r"(^|_)(fetch|read|open|get|browse|visit)(_|$)")
SEARCHES = re.compile(r"search|find|lookup")
WRITES = re.compile(r"(^|_)(write|save|create|update)(_|$)")
DEEDS = (
    Deed(READS, ("url", "address", "path", "file"), "Reading", "Read", "Could not read"),
    Deed(SEARCHES, ("query", "q", "text"), "Searching for", "Searched for", "Could not search for"),
    Deed(WRITES, ("path", "file", "title"), "Writing", "Wrote", "Could not write"),
    Deed(re.compile(r"^calculate$"), ("expression",), "Calculating", "Calculated", "Could not calculate"),
)
CLOCK = {"working": "Looking at the clock", "done": "Looked at the clock", "failed": "Could not look at the clock"}


def tool_words(name: str, arguments: str, state: str) -> str:
    """``state`` is working, done, failed or interrupted. What is not known by its name is “Used <name>”."""
    if state == "interrupted":
        return f"Interrupted: {name}"
    if name == "current_time":
        return CLOCK[state]
    given = _given(arguments)
    for deed in DEEDS:
        if deed.name.search(name.lower()):
            for what in deed.what:
                if thing := _thing(given.get(what)):
                    verb = {"working": deed.doing, "done": deed.done, "failed": deed.failed}[state]
                    return f"{verb} {thing}"
    return {"working": f"Using {name}", "done": f"Used {name}", "failed": f"{name} failed"}[state]


def _given(arguments: str) -> Mapping[str, object]:
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _thing(value: object) -> str:
    """An argument as a few words: of an address, its host."""
    if not isinstance(value, str):
        return ""
    try:
        host = urlsplit(value).hostname or ""
    except ValueError:
        host = ""
    return host[:OBJECT_CHARS] or shorten(value, OBJECT_CHARS, placeholder=" …") or value[:OBJECT_CHARS].strip()
