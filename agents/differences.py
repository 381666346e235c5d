"""What changed between two texts, in lines and words. It is shown as text, never as markup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

AROUND = 2
"""Unchanged lines shown before and after a change."""
MOST_LINES = 4_000
MOST_WORDS = 1_500
"""Beyond these a comparison takes long and says little: the whole text counts as changed."""


@dataclass(frozen=True)
class Part:
    """A stretch of text that is ``same``, ``added``, ``removed``, or ``folded`` (then ``text`` is a count in words)."""

    kind: str
    text: str


def differences(old: str, new: str) -> list[Part]:
    """The parts of both texts in order. Lines that stayed are folded away where nothing is near them."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(before), len(after)) > MOST_LINES:
        return _replaced(old, new)
    found: list[Part] = []
    codes = SequenceMatcher(None, before, after).get_opcodes()
    for index, (code, start, end, start_new, end_new) in enumerate(codes):
        if code == "equal":
            found += _unchanged(before[start:end], is_first=index == 0, is_last=index == len(codes) - 1)
        else:
            found += _words("".join(before[start:end]), "".join(after[start_new:end_new]))
    return found


def _unchanged(lines: list[str], *, is_first: bool, is_last: bool) -> list[Part]:
    head, tail = 0 if is_first else AROUND, 0 if is_last else AROUND
    hidden = len(lines) - head - tail
    if hidden <= 1:
        return [Part("same", "".join(lines))]
    parts = [
        Part("same", "".join(lines[:head])),
        Part("folded", f"{hidden} lines are the same"),
        Part("same", "".join(lines[len(lines) - tail :])),
    ]
    return [part for part in parts if part.text]


def _words(old: str, new: str) -> list[Part]:
    before, after = _tokens(old), _tokens(new)
    if not before or not after or max(len(before), len(after)) > MOST_WORDS:
        return _replaced(old, new)
    parts: list[Part] = []
    for code, start, end, start_new, end_new in SequenceMatcher(None, before, after, False).get_opcodes():
        if code == "equal":
            parts.append(Part("same", "".join(before[start:end])))
        else:
            parts += _replaced("".join(before[start:end]), "".join(after[start_new:end_new]))
    return parts


def _tokens(text: str) -> list[str]:
    """Words, each with the space that follows it: a comparison that meets at every blank cannot be read."""
    return re.findall(r"\S+[^\S\n]*|\s", text)


def _replaced(old: str, new: str) -> list[Part]:
    return [part for part in (Part("removed", old), Part("added", new)) if part.text]
