"""Closing what a half-written text has left open, so that no raw syntax flashes while it streams."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict

from common.markdown.math import formula_at

_RUN = re.compile(r"`+")
_DESTINATION = re.compile(
    r"\(\s*(?:<[^<>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)"
    r"(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?\s*\)"
)
_LABEL = re.compile(r"\[[^\[\]]*\]")
_HALF_TAG = re.compile(r"<(?:/?[a-z]{0,6}\s*/?|[a-z][a-z0-9+.-]{1,31}:[^\s<>]*)$", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(sup|sub|kbd)>", re.IGNORECASE)
BEGUN_UP_TO = 300
"""Characters of an open formula above which its mark is taken for an escaped bracket."""

_DANGLING = " \t\n*_~`<\\["


class _Healer:
    """One pass over the text of the last paragraph, cell or heading, remembering what is open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.opened: list[tuple[str, int, int]] = []  # what, where, how many characters of it are still open
        self.pending: dict[str, int] = defaultdict(int)  # how many of each kind are in opened
        self.ticks: dict[int, list[int]] = defaultdict(list)
        for run in _RUN.finditer(text):
            self.ticks[len(run.group())].append(run.start())

    def heal(self) -> str:
        pos = 0
        while pos < len(self.text):
            char = self.text[pos]
            if char in "\\$" and (formula := formula_at(self.text, pos)):
                pos = formula.end
            elif char == "\\":
                pos = self.backslash(pos)
            elif char == "`":
                pos = self.code(pos)
            elif char in "*_~":
                pos = self.emphasis(pos)
            elif char == "[":
                image = pos > 0 and self.text[pos - 1] == "!"
                self.push("[", pos - image, 1 + image)
                pos += 1
            elif char == "]":
                pos = self.bracket(pos)
            elif char == "<":
                pos = self.tag(pos)
            else:
                pos += 1
        return self.close()

    def backslash(self, pos: int) -> int:
        """Show what has come of a formula as code until the rest of it comes."""
        begun = self.text[pos + 2 :].strip()
        if self.text[pos + 1 : pos + 2] not in ("(", "[") or "`" in begun or len(begun) > BEGUN_UP_TO:
            return pos + 2
        self.text = self.text[:pos] + (f"`{begun}`" if begun else "")
        return len(self.text)

    def code(self, pos: int) -> int:
        """Skip a closed code span; close an open one, which then runs to the end."""
        match = _RUN.match(self.text, pos)
        assert match
        width = len(match.group())
        starts = self.ticks[width]
        after = bisect_left(starts, match.end())
        if after < len(starts):
            return starts[after] + width
        self.text = self.text.rstrip("`") + match.group()
        return len(self.text)

    def emphasis(self, pos: int) -> int:
        text, char = self.text, self.text[pos]
        end = pos
        while end < len(text) and text[end] == char:
            end += 1
        before, after = text[pos - 1 : pos] or " ", text[end : end + 1] or " "
        opens, closes = not after.isspace(), not before.isspace()
        if char == "_":
            opens, closes = opens and not before.isalnum(), closes and not after.isalnum()
        if char == "~" and end - pos != 2:
            return end
        left = end - pos
        while closes and left and self.pending[char]:
            at = self.last(char)
            what, where, width = self.opened[at]
            used = min(width, left)
            left -= used
            self.truncate(at)
            if width > used:
                self.push(what, where, width - used)
        if opens and left:
            self.push(char, end - left, left)
        return end

    def last(self, what: str) -> int:
        return next(i for i in range(len(self.opened) - 1, -1, -1) if self.opened[i][0] == what)

    def push(self, what: str, where: int, width: int) -> None:
        self.opened.append((what, where, width))
        self.pending[what] += 1

    def truncate(self, at: int) -> None:
        """Close what is open from ``at`` on."""
        for what, _, _ in self.opened[at:]:
            self.pending[what] -= 1
        del self.opened[at:]

    def bracket(self, pos: int) -> int:
        """A label that ends here: skip its destination, or show only its words while the rest is coming."""
        if not self.pending["["]:
            return pos + 1
        at = self.last("[")
        rest = self.text[pos + 1 : pos + 2]
        pattern = _DESTINATION if rest == "(" else _LABEL if rest == "[" else None
        if pattern and (match := pattern.match(self.text, pos + 1)):
            self.truncate(at)
            return match.end()
        closer = {"(": ")", "[": "]"}.get(rest, "")
        if rest == "" or (closer and self.text.find(closer, pos + 2) < 0):
            self.text = self.text[:pos]
            return pos
        what, _, _ = self.opened.pop(at)
        self.pending[what] -= 1
        return pos + 1

    def tag(self, pos: int) -> int:
        if match := _TAG.match(self.text, pos):
            name = match[2].lower()
            if not match[1]:
                self.push(name, pos, 0)
            elif self.pending[name]:
                self.truncate(self.last(name))
            return match.end()
        if _HALF_TAG.match(self.text, pos):
            self.text = self.text[:pos]
        return pos + 1

    def close(self) -> str:
        text = self.text.rstrip()
        for what, where, width in reversed(self.opened):
            if what == "[":
                text = text[:where] + text[where + width :]
            elif len(what) > 1:
                text += f"</{what}>"
            else:
                text += what * width
        return text


def heal(text: str) -> str:
    """``text`` with open ``** _ ~~ ` [ <sup>`` closed, and a half-written link or tag at its end left out."""
    bare = text.rstrip(_DANGLING)
    if text[len(bare) :].startswith("[") and bare.endswith("!"):
        bare = bare[:-1]
    return _Healer(bare).heal()
