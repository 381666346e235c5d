"""What is seen at an address, and how it differs from what was seen there before. Nothing here asks anybody anything.

``seen`` is what a schedule remembers of its last look: JSON that both databases can keep, of a bounded size, empty
before the first.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import ZergError
from common.fetch import Fetched
from triggers.models import Schedule
from triggers.watching.feeds import Entry, entries_of
from triggers.watching.page_text import words_of

Watch = Schedule.Watch
Seen = Mapping[str, Any]

LONGEST_CHANGE = 10_000
LONGEST_TEXT = 20_000
"""So much of a page's text is kept to say what changed; whether it did is seen in all of it."""
LONGEST_VALUE = 5_000
MOST_LINES = 1_000
"""Comparing takes time with the square of the lines."""
MOST_SHOWN = 50
MOST_REMEMBERED = 1_000
NOTHING_THERE = "(nothing there)"
CUT = "\n[cut]"


@dataclass(frozen=True)
class Sight:
    """What a look saw: ``now`` in words, ``change`` since the last one (None: there is none), ``seen`` to be stored."""

    now: str
    change: str | None
    seen: dict[str, Any]


def conditions(kind: str, seen: Seen) -> dict[str, str]:
    """Headers that spare the server an answer that was had before."""
    known = {"If-None-Match": seen.get("etag"), "If-Modified-Since": seen.get("last_modified")}
    return {name: value for name, value in known.items() if value} if kind in (Watch.PAGE, Watch.FEED) else {}


def sight_of(kind: str, path: str, answer: Fetched, seen: Seen) -> Sight:
    """What an answer shows. Raises ZergError(``bad_answer``) for one that shows nothing of its kind."""
    if kind == Watch.STATUS:
        return _compared(str(answer.status), {"value": str(answer.status)}, seen)
    if answer.status == 304 and seen:
        return Sight("As it was.", None, dict(seen))
    if not 200 <= answer.status < 300:
        raise ZergError("bad_answer", f"The address answered with the status {answer.status}.")
    if kind == Watch.JSON:
        return _json(path, answer, seen)
    if kind == Watch.FEED:
        return _feed(answer, seen)
    return _page(answer, seen)


def _page(answer: Fetched, seen: Seen) -> Sight:
    text = words_of(answer)
    content = text if text is not None else f"{len(answer.body):,} bytes that are no text"
    digest = hashlib.sha256(text.encode() if text is not None else answer.body).hexdigest()
    remembered = {"digest": digest, "text": _cut(content, LONGEST_TEXT), **_validators(answer)}
    if not seen:
        return Sight(content, f"First look:\n{content}", remembered)
    if digest == seen.get("digest"):
        return Sight(content, None, remembered)
    return Sight(content, _difference(str(seen.get("text", "")), remembered["text"]), remembered)


def _difference(before: str, after: str) -> str:
    """A unified diff, or why there is none."""
    old, new = (text.splitlines()[:MOST_LINES] for text in (before, after))
    found = "\n".join(difflib.unified_diff(old, new, "before", "now", lineterm="", n=2))
    return found or f"It changed, but not in its first {LONGEST_TEXT:,} characters, which are compared in full."


def _json(path: str, answer: Fetched, seen: Seen) -> Sight:
    try:
        value: Any = json.loads(answer.text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise ZergError("bad_answer", "What is there is no JSON that can be read.") from error
    for step in filter(None, path.split(".")):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and len(step) < 9 and int(step) < len(value):
            value = value[int(step)]
        else:
            return _compared(NOTHING_THERE, {"value": "", "digest": ""}, seen)
    # Not as it was written: the order of names and the spaces say nothing.
    try:
        whole = json.dumps(value, ensure_ascii=True, sort_keys=True)
    except RecursionError as error:
        raise ZergError("bad_answer", "The value is nested too deep to be compared.") from error
    shown = _clean(value) if isinstance(value, str) else _clean(json.dumps(value, ensure_ascii=False, sort_keys=True))
    kept = _cut(shown, LONGEST_VALUE)
    return _compared(kept, {"value": kept, "digest": hashlib.sha256(whole.encode()).hexdigest()}, seen)


def _compared(now: str, remembered: dict[str, str], seen: Seen) -> Sight:
    if not seen:
        return Sight(now, f"First look: {now}", remembered)
    is_same = all(seen.get(name) == value for name, value in remembered.items())
    return Sight(now, None if is_same else f"{seen.get('value') or NOTHING_THERE} → {now}", remembered)


def _feed(answer: Fetched, seen: Seen) -> Sight:
    entries = entries_of(answer.body)
    known = list(seen.get("ids", ()))
    new = [entry for entry in entries if entry.key not in set(known)]
    ids = list(dict.fromkeys([*(entry.key for entry in entries), *known]))[:MOST_REMEMBERED]
    remembered = {"ids": ids, **_validators(answer)}
    now = _listed(entries) or "No entries."
    if not seen:
        return Sight(now, f"First look:\n{now}", remembered)
    return Sight(now, _listed(new) or None, remembered)


def _listed(entries: list[Entry]) -> str:
    lines = [f"- {entry.title}" + (f": {entry.link}" if entry.link else "") for entry in entries[:MOST_SHOWN]]
    if len(entries) > MOST_SHOWN:
        lines.append(f"- and {len(entries) - MOST_SHOWN} more")
    return _clean("\n".join(lines))


def _validators(answer: Fetched) -> dict[str, str]:
    """What the server calls this version of its answer."""
    named = {"etag": answer.headers.get("etag", ""), "last_modified": answer.headers.get("last-modified", "")}
    return {name: value for name, value in named.items() if value and value.isascii() and len(value) <= 200}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + CUT


def _clean(text: str) -> str:
    """Without what no database can keep."""
    return text.encode(errors="replace").decode().replace("\x00", "")


def shortened(change: str) -> str:
    """A change as it may stand in a prompt."""
    return _cut(_clean(change), LONGEST_CHANGE)
