"""Characters that are there and cannot be seen: shown, so that no text can say one thing and mean another.

Bidirectional overrides reorder what is read, zero-width and tag characters smuggle instructions to models and
survive copying. Joiners and variation selectors where scripts and emoji need them are left alone.
"""

from __future__ import annotations

import re
from html import escape

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[\ufe00-\ufe0f]{{2,}}|[{_CONTROL}{_INVISIBLE}]+")
# A flag of a region is a black flag followed by lower-case tag letters and the cancel tag.
_FLAG_TAGS = re.compile("[\U000e0061-\U000e007a]{2,6}\U000e007f")
_JOINERS = frozenset("\u200c\u200d")


def tidy(text: str) -> str:
    """Line ends as ``\\n``; NUL and lone surrogates, which no encoder or database takes, as U+FFFD."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return _SURROGATE.sub("\ufffd", text)


def mark_hidden(html: str) -> str:
    """Replace runs of hidden characters in the text of ``html`` (they must not occur inside a tag)."""
    return _HIDDEN.sub(_marker, html)


def escape_visible(text: str) -> str:
    """Text as HTML, with hidden characters shown."""
    return mark_hidden(escape(text))


def _marker(match: re.Match[str]) -> str:
    run, text = match.group(), match.string
    before = text[match.start() - 1] if match.start() else ""
    after = text[match.end() : match.end() + 1]
    if run in _JOINERS and before > "\u02ff" and after > "\u02ff":
        return run
    if before == "\U0001f3f4" and _FLAG_TAGS.fullmatch(run):
        return run
    names = f"U+{ord(run[0]):04X}" if len(run) == 1 else f"{len(run)} hidden characters"
    return f'<span class="unseen">{names}</span>'
