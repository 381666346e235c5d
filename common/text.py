"""Markdown as one plain line, for lists."""

from __future__ import annotations

import re

_OF_LINES = re.compile(
    r"^[ \t]*(?:```.*$|(?:\#{1,6}|>|[-*+]|\d{1,3}[.)])(?=\s)|\|?[ \t]*:?-{3,}[-:| \t]*$)", re.MULTILINE
)
_OF_WORDS = re.compile(r"\*\*|__|~~|`+|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)")
_TABLE_ROW = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
_SPACE = re.compile(r"\s+")


def one_line(text: str) -> str:
    """``text`` with spaces for line breaks, and without the marks of its Markdown. The words stay as they are."""
    text = _TABLE_ROW.sub(lambda row: row[0].replace("|", " "), _OF_LINES.sub("", text))
    return _SPACE.sub(" ", _OF_WORDS.sub("", text))


def cut(text: str, most_bytes: int) -> str:
    """``text``, or its beginning with a mark that says how much is missing: at most ``most_bytes`` of UTF-8 in all."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most_bytes:
        return text
    mark = f"\n[… cut: {len(text):,} characters in all]"
    kept = encoded[: max(most_bytes - len(mark.encode()), 0)].decode("utf-8", "ignore")
    return f"{kept}{mark}" if kept else ""
