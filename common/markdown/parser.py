"""The one markdown parser and the one sanitiser."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from common.markdown.code import COPY_BUTTON, code_body, code_frame
from common.markdown.heal import heal
from common.markdown.hidden import escape_visible
from common.markdown.links import is_allowed, links_rule
from common.markdown.math import formula_block_rule, formula_html, formula_rule

MAX_NESTING = 40
MAX_INLINE = 32 * 1024
"""Characters of one paragraph or cell above which its inline markup is not interpreted."""

_BARE_TAG = re.compile(r"<(?:(/?)(sup|sub|kbd)|(br)\s*/?)>", re.IGNORECASE)
_TASK = re.compile(r"\[([ xX])\] ")
# Stands for a code block while its surroundings are sanitised. Nobody who writes text can know it.
_MARK = f"code-{secrets.token_hex(12)}-"
_MARKED = re.compile(f"<pre>{_MARK}([0-9]+)</pre>")
# The same for a formula: it is its own TeX, since rendered inline text is kept for the next time.
_MARKED_TEX = re.compile(f"<code>{_MARK}([di])([0-9a-f]+)</code>")
_TABLE_OPEN = '<div class="table-box"><div class="table-wrap" tabindex="0">'

_TAGS = "p h3 h4 h5 h6 ul ol li blockquote pre code em strong s a hr br span sup sub kbd table thead tbody tr th td"
_cleaner = nh3.Cleaner(
    tags=set(_TAGS.split()),
    clean_content_tags=set(),
    attributes={"a": {"href"}, "ol": {"start"}},
    allowed_classes={
        "span": {"host", "unseen", "task"},
        "th": {"right", "center"},
        "td": {"right", "center"},
        "p": {"plain"},
    },
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
)


@dataclass(frozen=True, slots=True)
class Block:
    """One top-level block: its tokens, and the lines [start, end) of the source that it came from."""

    tokens: list[Token]
    start: int
    end: int


def _bare_tag(state: StateInline, silent: bool) -> bool:
    """Inline rule: the few tags that models write in markdown, without attributes. Others stay text."""
    match = _BARE_TAG.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        slash, name, _ = match.groups()
        kind, nesting = ("bare_tag", -1 if slash else 1) if name else ("hardbreak", 0)
        token = state.push(kind, name.lower() if name else "br", 0)
        token.nesting = nesting  # type: ignore[assignment]
        token.content = match.group()
    state.pos = match.end()
    return True


def _pair_tags(state: StateCore) -> None:
    """Core rule: a bare tag without its partner is text again; task boxes become characters."""
    for index, block in enumerate(state.tokens):
        if block.type != "inline":
            continue
        opened: list[Token] = []
        lonely: list[Token] = []
        for token in block.children or []:
            if token.type != "bare_tag":
                continue
            if token.nesting == 1:
                opened.append(token)
            elif opened and opened[-1].tag == token.tag:
                opened.pop()
            else:
                lonely.append(token)
        for token in (*lonely, *opened):
            token.type, token.nesting = "text", 0
        if index > 1 and state.tokens[index - 2].type == "list_item_open" and block.children:
            _task_box(block.children)


def _task_box(children: list[Token]) -> None:
    """``[ ]`` and ``[x]`` at the start of a list item become characters: a reader could not tick them anyway."""
    first = children[0]
    if first.type == "text" and (box := _TASK.match(first.content)):
        first.content = first.content[box.end() :]
        sign = "☐" if box[1] == " " else "☑"
        children.insert(0, Token("html_inline", "", 0, content=f'<span class="task">{sign}</span> '))


def _inline_key(state: StateCore, index: int) -> tuple[str, bool, int]:
    """What the HTML of an inline text depends on: itself, whether it begins a list item, the known links."""
    in_item = index > 1 and state.tokens[index - 2].type == "list_item_open"
    return state.tokens[index].content, in_item, len(state.env.get("references", ()))


def _inline(state: StateCore) -> None:
    """Core rule in place of the parser's own: what was rendered a moment ago is not parsed again."""
    cache = state.env.get("inline_cache", {})
    for index, token in enumerate(state.tokens):
        if token.type == "inline":
            if (html := cache.get(_inline_key(state, index))) is not None:
                token.children = [Token("html_inline", "", 0, content=html)]
            else:
                token.children = token.children or []
                state.md.inline.parse(token.content, state.md, state.env, token.children)


def _remember_inline(state: StateCore) -> None:
    """Core rule, last: keep the HTML of each inline text for the next time."""
    cache = state.env.get("inline_cache")
    if cache is None:
        return
    fresh = {}
    for index, token in enumerate(state.tokens):
        if token.type == "inline":
            html = state.md.renderer.renderInline(token.children or [], state.md.options, state.env)  # type: ignore[attr-defined]
            fresh[_inline_key(state, index)] = html
            token.children = [Token("html_inline", "", 0, content=html)]
    cache.clear()
    cache.update(fresh)


def _limit_inline(state: StateCore) -> None:
    """Core rule, before inline parsing: heal a provisional text, leave enormous paragraphs uninterpreted."""
    leaves = [token for token in state.tokens if token.type == "inline"]
    for token in leaves:
        if len(token.content) > MAX_INLINE:
            token.type = "text"
    if leaves and state.env.get("provisional") and leaves[-1].type == "inline":
        leaves[-1].content = heal(leaves[-1].content)


class _Renderer(RendererHTML):
    """HTML as Zerg wants it; what it returns is sanitised afterwards all the same."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return escape_visible(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<code>{escape_visible(tokens[idx].content)}</code>"

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        codes: list[str] = env.setdefault("codes", [])
        language = (tokens[idx].info.split() or [""])[0]
        codes.append(code_frame(code_body(tokens[idx].content, language), language))
        return f"<pre>{_MARK}{len(codes) - 1}</pre>"

    fence = code_block

    def formula(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        kind = "d" if tokens[idx].markup == "$$" else "i"
        return f"<code>{_MARK}{kind}{tokens[idx].content.encode().hex()}</code>"

    def formula_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        codes: list[str] = env.setdefault("codes", [])
        codes.append(f'<div class="math" tabindex="0">{formula_html(tokens[idx].content, is_display=True)}</div>')
        return f"<pre>{_MARK}{len(codes) - 1}</pre>"

    def formula_begun(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        begun = tokens[idx].content
        return f"<p><code>{escape_visible(begun)}</code></p>" if begun else ""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        # The page owns h1, the author's name in a turn is h2: an answer's headings start at h3.
        return f"<h{min(int(tokens[idx].tag[1]) + 2, 6)}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"</h{min(int(tokens[idx].tag[1]) + 2, 6)}>"

    def bare_tag(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<{'/' if tokens[idx].nesting < 0 else ''}{tokens[idx].tag}>"

    def cell(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        style = str(tokens[idx].attrs.get("style", ""))
        side = next((name for name in ("right", "center") if name in style), "")
        return f'<{tokens[idx].tag} class="{side}">' if side else f"<{tokens[idx].tag}>"

    th_open = td_open = cell


def _build() -> MarkdownIt:
    options = {"html": False, "maxNesting": MAX_NESTING}
    md = MarkdownIt("commonmark", options, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    md.disable(["html_block", "html_inline"])
    md.validateLink = is_allowed  # type: ignore[method-assign]
    md.inline.ruler.before("autolink", "bare_tag", _bare_tag)
    md.inline.ruler.before("escape", "formula", formula_rule)
    md.block.ruler.before("fence", "formula_block", formula_block_rule, {"alt": ["paragraph", "blockquote", "list"]})
    md.core.ruler.at("inline", _inline)
    md.core.ruler.before("inline", "limit_inline", _limit_inline)
    md.core.ruler.push("pair_tags", _pair_tags)
    md.core.ruler.push("links", links_rule)
    md.core.ruler.push("remember_inline", _remember_inline)
    return md


_md = _build()


def outline(source: str, env: MutableMapping[str, Any]) -> list[Token]:
    """Block tokens of a tidy source, their inline text not yet parsed; definitions are added to ``env``."""
    tokens: list[Token] = []
    _md.block.parse(source, _md, env, tokens)
    return tokens


def parse(source: str, env: MutableMapping[str, Any]) -> list[Token]:
    """Tokens of a tidy source, ready to render.

    ``env`` may hold ``references`` (link definitions), ``provisional`` (heal the end) and ``inline_cache``.
    """
    return complete(outline(source, env), env)


def complete(tokens: list[Token], env: MutableMapping[str, Any]) -> list[Token]:
    """Block tokens with their inline text parsed."""
    state = StateCore("", _md, env, tokens)
    for name, rule in zip(_md.core.ruler.get_active_rules(), _md.core.ruler.getRules(""), strict=True):
        if name not in ("normalize", "block"):
            rule(state)
    return state.tokens


def top_blocks(tokens: list[Token], source: str) -> Iterator[Block]:
    """The top-level blocks. One that nests too deep to be read is its own source, so no text is lost."""
    begin = 0
    lines: list[str] | None = None
    for index, token in enumerate(tokens):
        if token.level or token.nesting > 0:
            continue
        part, begin = tokens[begin : index + 1], index + 1
        start, end = part[0].map or [0, 0]
        if any(inner.level >= MAX_NESTING - 2 for inner in part):
            lines = source.split("\n") if lines is None else lines
            plain = Token("text", "", 0, content="\n".join(lines[start:end]).rstrip())
            opened = Token("plain_open", "p", 1, attrs={"class": "plain"})
            part = [opened, plain, Token("plain_close", "p", -1)]
        yield Block(part, start, end)


def render_tokens(tokens: list[Token], env: MutableMapping[str, Any]) -> str:
    """One top-level block as one sanitised element."""
    env["codes"] = []
    html = _md.renderer.render(tokens, _md.options, env).strip()
    codes: list[str] = env["codes"]
    html = _cleaner.clean(html)
    # Text is escaped by now, so a literal tag can only be one that the sanitiser wrote.
    html = html.replace("<table>", f"{_TABLE_OPEN}<table>").replace("</table>", f"</table></div>{COPY_BUTTON}</div>")
    html = _MARKED.sub(lambda match: codes[int(match[1])], html)
    return _MARKED_TEX.sub(_drawn, html) if _MARK in html else html


def _drawn(match: re.Match[str]) -> str:
    return formula_html(bytes.fromhex(match[2]).decode(), is_display=match[1] == "d")
