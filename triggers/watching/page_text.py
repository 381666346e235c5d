"""The words of a page as a reader sees them, so that what changes with each request (nonces, ids) does not count."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from common.fetch import Fetched

HTML = {"text/html", "application/xhtml+xml"}
TEXTS = {"application/json", "application/xml", "application/javascript", "application/x-yaml", "application/toml"}
LINES = {
    "address", "article", "aside", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "figcaption", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "option", "p",
    "pre", "section", "summary", "table", "td", "th", "title", "tr", "ul",
}  # fmt: skip
UNSEEN = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "template", "noscript", "svg")}
TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
OTHER = re.compile(r"<[!?/]")
LONG_NUMBER = re.compile(r"&#[0-9]{8,};?")
BREAKS = str.maketrans("\r\n\t\f", "    ")


def words_of(answer: Fetched) -> str | None:
    """The text of a page or a text file, a line for each block; None for what is neither."""
    text = answer.text
    if not _is_text(answer) or "\x00" in text[:1000]:
        return None
    if _is_html(answer):
        # Python's own reader of such numbers raises on some that are long.
        text = html.unescape(LONG_NUMBER.sub("\ufffd", "".join(_visible(text))))
    lines = (" ".join(line.split()) for line in text.replace("\x00", "").splitlines())
    return "\n".join(line for line in lines if line).encode(errors="replace").decode()


def _is_html(answer: Fetched) -> bool:
    begins = answer.body[:500].lstrip().lower()
    return answer.media_type in HTML or (not answer.media_type and begins.startswith((b"<!doctype html", b"<html")))


def _is_text(answer: Fetched) -> bool:
    kind = answer.media_type
    return not kind or kind.startswith("text/") or kind in HTML | TEXTS or kind.endswith(("+json", "+xml"))


def _visible(source: str) -> Iterator[str]:
    """What stands between the tags. It is compared and never shown as HTML, so this need not read it as browsers do,
    who take minutes for some pages of two megabytes: each step goes forward, and none goes back."""
    at = 0
    while (tag := source.find("<", at)) >= 0:
        yield source[at:tag].translate(BREAKS)
        named = TAG.match(source, tag)
        if named is None and not OTHER.match(source, tag):
            yield "<"
            at = tag + 1
            continue
        closing = "-->" if source.startswith("<!--", tag) else ">"
        end = source.find(closing, tag)
        name = named[1].lower() if named and source[tag + 1] != "/" else ""
        if end >= 0 and name in UNSEEN:
            close = UNSEEN[name].search(source, end)
            end = source.find(closing, close.start()) if close else -1
        if end < 0:
            return
        if named and named[1].lower() in LINES:
            yield "\n"
        at = end + len(closing)
    yield source[at:].translate(BREAKS)
