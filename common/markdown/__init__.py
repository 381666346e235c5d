"""Model text to safe HTML: the only place in Zerg that marks text as safe.

One function renders a page, an htmx answer, a live frame and an export, so they cannot differ. Markdown is
parsed with raw HTML off, every block is sanitised against a short list of our own, and code, tables and
hidden characters are written by us around what came through.
"""

from __future__ import annotations

from django.utils.safestring import SafeString, mark_safe

from common.markdown.hidden import escape_visible, tidy
from common.markdown.parser import parse, render_tokens, top_blocks
from common.markdown.stream import StreamRenderer, close_fence

__all__ = ["StreamRenderer", "close_fence", "join_blocks", "render_blocks", "render_html", "render_plain"]


def render_blocks(text: str) -> list[str]:
    """The blocks of a whole text, each a string of sanitised HTML with exactly one root element."""
    source = tidy(text)
    env: dict[str, object] = {}
    return [render_tokens(block.tokens, env) for block in top_blocks(parse(source, env), source)]


def join_blocks(blocks: list[str]) -> SafeString:
    """Blocks made by ``render_blocks`` or ``StreamRenderer``, as one string for a template."""
    return mark_safe("".join(blocks))  # noqa: S308


def render_html(text: str) -> SafeString:
    """A whole text as HTML for a template."""
    return join_blocks(render_blocks(text))


def render_plain(text: str) -> SafeString:
    """What a person typed: nothing is interpreted, the ``plain`` class keeps line breaks, one element."""
    return mark_safe(f'<div class="plain">{escape_visible(tidy(text))}</div>')  # noqa: S308
