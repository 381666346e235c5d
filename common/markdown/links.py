"""Where model text may point: http, https and mailto, the real host in sight, never loaded by itself."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from common.markdown.hidden import escape_visible

_ALLOWED = re.compile(r"https?://[^/?#\\\s]|mailto:[^\s/]+@", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w@/.:])https?://[^\s<>\"'`|\\^{}\[\]]{1,2000}", re.IGNORECASE)
_TRAILING = ".,;:!?*_~"


def is_allowed(url: str) -> bool:
    """Absolute http, https or mailto only: any other address would point into Zerg, or hide."""
    return _ALLOWED.match(url) is not None and bool(host_of(url))


def host_of(url: str) -> str:
    """The host (or mail address) a link leads to; empty when the address cannot be read."""
    if url.lower().startswith("mailto:"):
        return url[7:].split("?")[0]
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _shows(text: str, host: str) -> bool:
    """Whether a reader of ``text`` sees that the link leads to ``host``."""
    seen = re.sub(r"^(https?://|mailto:)", "", text.strip().lower())
    host = host.lower()
    return any(
        seen.startswith(name) and seen[len(name) : len(name) + 1] in ("", "/", "?", "#", ":")
        for name in (host, host.removeprefix("www."))
    )


def _raw(html: str) -> Token:
    return Token("html_inline", "", 0, content=html)


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _plain_text(tokens: list[Token]) -> str:
    return "".join(token.content if token.type != "image" else _plain_text(token.children or []) for token in tokens)


def _image(token: Token, *, in_link: bool) -> list[Token]:
    """A picture is a link that a person may open: loading it would tell its host what was read, and when."""
    url = str(token.attrs.get("src", ""))
    alt = _plain_text(token.children or []).strip()
    label = _text(f"Image on {host_of(url)}" + (f": {alt}" if alt else ""))
    if in_link:
        return [label]
    return [Token("link_open", "a", 1, attrs={"href": url}), label, Token("link_close", "a", -1)]


def _bare_links(state: StateCore, token: Token) -> list[Token]:
    """Addresses written out in running text, as links to themselves."""
    out: list[Token] = []
    text, done = token.content, 0
    for found in _BARE.finditer(text):
        url = found.group().rstrip(_TRAILING)
        while url.endswith(")") and url.count(")") > url.count("("):
            url = url[:-1].rstrip(_TRAILING)
        href = state.md.normalizeLink(url)
        if not is_allowed(href):
            continue
        out += [_text(text[done : found.start()])] if found.start() > done else []
        out += [Token("link_open", "a", 1, attrs={"href": href}), _text(url), Token("link_close", "a", -1)]
        done = found.start() + len(url)
    if not out:
        return [token]
    return [*out, _text(text[done:])] if done < len(text) else out


def _with_host(opened: Token, inside: list[Token]) -> list[Token]:
    href = str(opened.attrs.get("href", ""))
    opened.attrs = {"href": href}
    host = host_of(href)
    shown = [] if _shows(_plain_text(inside), host) else [_raw(f' <span class="host">{escape_visible(host)}</span>')]
    return [opened, *inside, *shown]


def links_rule(state: StateCore) -> None:
    """Core rule: images become links, bare addresses become links, and each link says where it leads."""
    for block in state.tokens:
        if block.type != "inline" or not block.children:
            continue
        out: list[Token] = []
        opened: Token | None = None
        inside: list[Token] = []
        for token in block.children:
            if token.type == "link_open":
                opened, inside = token, []
            elif token.type == "link_close" and opened is not None:
                out += [*_with_host(opened, inside), token]
                opened = None
            elif token.type == "image":
                (inside if opened else out).extend(_image(token, in_link=opened is not None))
            elif opened is not None:
                inside.append(token)
            elif token.type == "text":
                out += _bare_links(state, token)
            else:
                out.append(token)
        block.children = out
