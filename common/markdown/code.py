"""Code blocks: coloured on the server, once, with classes that the stylesheet knows."""

from __future__ import annotations

from functools import lru_cache

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from common.markdown.hidden import escape_visible, mark_hidden

COPY_BUTTON = '<button type="button" class="copy">Copy</button>'
PLAIN_ABOVE = 64 * 1024
"""Characters above which code is not coloured."""

# Lexers are regular expressions run on hostile text: only well-worn ones are used.
_NAMES = """
    bash sh shell zsh console powershell ps1 bat c cpp c++ csharp cs c# css scss less dart diff patch
    docker dockerfile elixir ex erlang go golang graphql groovy haskell hs html xml svg http ini cfg
    toml java javascript js jsx mjs json jsonc json5 jinja django julia kotlin kt latex tex lua make
    makefile markdown md nginx nix objective-c ocaml perl pl php postgres postgresql sql sqlite3 mysql
    proto protobuf python py python3 pycon py3 pytb r ruby rb rust rs scala swift terraform hcl tsx ts
    typescript vim vue yaml yml zig
"""
LANGUAGES = frozenset(_NAMES.split())
_formatter = HtmlFormatter(nowrap=True)


@lru_cache(maxsize=128)
def _lexer(language: str) -> Lexer | None:
    if language not in LANGUAGES:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def warm() -> None:
    """Import the commonest lexers, so that the first answer does not wait for them."""
    for language in ("python", "bash", "json", "javascript"):
        _lexer(language)


def code_body(code: str, language: str) -> str:
    """Code as HTML, coloured where the language is known and the code is not enormous."""
    lexer = _lexer(language.lower()) if len(code) <= PLAIN_ABOVE else None
    return mark_hidden(highlight(code, lexer, _formatter)) if lexer else escape_visible(code)


def code_frame(body: str, language: str) -> str:
    """What surrounds a code block: its language and a Copy button. ``body`` is HTML."""
    name = escape_visible(language.lower()[:40]) or "text"
    return (
        f'<div class="code"><div class="code-head"><span>{name}</span>{COPY_BUTTON}</div>'
        f'<pre tabindex="0"><code>{body}</code></pre></div>'
    )
