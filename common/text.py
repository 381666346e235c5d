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
