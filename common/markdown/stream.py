"""Rendering a text while it is being written: finished blocks once, the unfinished rest provisionally."""

from __future__ import annotations

import re
from dataclasses import dataclass

from common.markdown.code import code_body, code_frame
from common.markdown.hidden import escape_visible, tidy
from common.markdown.parser import Block, complete, outline, parse, render_tokens, top_blocks

PARSED_UP_TO = 24 * 1024
"""Characters of unfinished source above which it is parsed again only when it has grown by a quarter."""

COLOURED_BY_LINE = 1_500

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
# What the start of a line can be before it is clear which block it begins.
_MARKER_ONLY = re.compile(
    r"[ \t>]*(?:[-+*=_]+|\$\$?|\\\[?|#{1,6}|\d{1,9}[.)]?|`{1,2}|`{3,}[^`]*|~{1,2}|~{3,}.*|\|[-:| \t]*"
    r"|(?:[-+*]|\d{1,9}[.)])[ \t]+\[[ xX]?\]?)?[ \t]*"
)
_RULE_SO_FAR = re.compile(r"[ \t]*\|?[-:| \t]*")
# A line of prose in which nothing can be markup: most of what models write. Rendered, it is what it is.
_WORDS = r"[A-Za-z0-9 ,.;:!?'\"()%-]*"
_PROSE = rf"(?=[A-Za-z]){_WORDS}(?:/(?!/){_WORDS})*"
_PROSE_SO_FAR = re.compile(_PROSE)
_PROSE_CLOSED = re.compile(rf"({_PROSE})\n\n+")
# Ends as soon as its own last line is complete / as soon as a blank line follows.
_CLOSED_BY_ITSELF = {"heading_open", "hr", "formula_block"}
# Lines that most likely belong to the block above: looking later is never wrong, only later.
_CONTINUES = {
    "bullet_list_open": re.compile(r"[ \t\-+*]|$"),
    "ordered_list_open": re.compile(r"[ \t\d]|$"),
    "table_open": re.compile(r"\|"),
    "blockquote_open": re.compile(r">"),
}
_CLOSED_BY_BLANK = {"paragraph_open", "table_open", "blockquote_open", "heading_open", "hr", "fence", "formula_block"}


@dataclass(frozen=True, slots=True)
class _Fence:
    """An open top-level code fence: the line that opened it, and what closes it."""

    line: int
    indent: int
    info: str
    closing: re.Pattern[str]


def _open_fence(block: Block, lines: list[str]) -> _Fence | None:
    """The fence that ``block`` leaves open at the end of ``lines``, if it does."""
    if block.tokens[0].type != "fence" or not (match := _FENCE.match(lines[block.start])):
        return None
    mark = match[1]
    closing = re.compile(rf" {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*")
    if any(closing.fullmatch(line) for line in lines[block.start + 1 :]):
        return None
    indent = len(lines[block.start]) - len(lines[block.start].lstrip(" "))
    return _Fence(block.start, indent, match[2].strip(), closing)


def close_fence(text: str) -> str:
    """``text``, with a code block that it leaves open closed: now something can follow it."""
    source = tidy(text)
    lines = source.split("\n")
    blocks = list(top_blocks(outline(source, {}), source))
    fence = _open_fence(blocks[-1], lines) if blocks else None
    if fence is None:
        return text
    mark = _FENCE.match(lines[fence.line])
    assert mark, "an open fence has a line that opened it"
    return f"{text.rstrip()}\n{mark[1]}"


def _with_table_rule(source: str) -> str:
    """The first row of a table, shown as a table before the line below it has arrived."""
    lines = source.split("\n")
    first = len(lines)
    while first and lines[first - 1].lstrip().startswith("|"):
        first -= 1
    rows = lines[first:]
    if len(rows) not in (1, 2) or (len(rows) == 2 and not _RULE_SO_FAR.fullmatch(rows[1])):
        return source
    inner = rows[0].strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    columns = len(re.split(r"(?<!\\)\|", inner))
    return "\n".join([*lines[: first + 1], "|" + "---|" * columns])


class StreamRenderer:
    """Feed it a text in any pieces: ``blocks`` only ever grows, ``tail`` is what follows it for the moment.

    After ``finish()``, ``blocks`` equals ``render_blocks`` of the whole text, unless a link was defined after
    its use. Work is done when ``blocks`` or ``tail`` is read, and costs as much as the unfinished source is
    long, whatever has been frozen before.
    """

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._references: dict[str, object] = {}
        self._held = ""  # a carriage return whose line feed may be in the next piece
        self._new: list[str] = []
        self._open = ""  # source after the last frozen block
        self._parsed = 0  # characters of _open whose complete lines have been looked at
        self._skip_below = 0
        self._fence: _Fence | None = None
        self._fence_line = 0  # where it begins, counted in lines of _open
        self._continues: re.Pattern[str] | None = None
        self._inline_cache: dict[object, str] = {}
        self._coloured = (0, "")  # how much of an open code block has colours, and that part
        self._tail: tuple[int, str] | None = None

    def feed(self, text: str) -> None:
        """Take the next piece of the text; cheap, whatever its size."""
        text = self._held + text
        self._held = "\r" if text.endswith("\r") else ""
        if piece := text.removesuffix("\r") if self._held else text:
            self._new.append(tidy(piece))

    def finish(self) -> None:
        """The text is complete: freeze the rest."""
        self.feed("\n" if self._held else "")
        self._take()
        env = self._env()
        self._blocks += [render_tokens(b.tokens, env) for b in top_blocks(parse(self._open, env), self._open)]
        self._open, self._fence, self._parsed, self._tail = "", None, 0, (0, "")

    @property
    def blocks(self) -> list[str]:
        """The frozen blocks so far, each one element."""
        self._advance()
        return self._blocks

    @property
    def tail(self) -> str:
        """The unfinished rest as HTML, with open markup closed."""
        self._advance()
        if self._tail is None or self._tail[0] != len(self._open):
            self._tail = self._render_tail()
        return self._tail[1]

    def _env(self) -> dict[str, object]:
        return {"references": dict(self._references)}

    def _take(self) -> bool:
        if not self._new:
            return False
        self._open += "".join(self._new)
        self._new.clear()
        return True

    def _advance(self) -> None:
        """Freeze what no later line can change."""
        if not self._take():
            return
        end = self._open.rfind("\n") + 1
        if self._fence is not None:
            if not any(self._fence.closing.fullmatch(line) for line in self._open[self._parsed : end].split("\n")):
                self._parsed = end
                return
            self._fence = None
        else:
            self._freeze_prose()
            end = self._open.rfind("\n") + 1
            if len(self._open) < self._skip_below or not self._may_freeze(end):
                return
        self._freeze(end)

    def _freeze_prose(self) -> None:
        """Paragraphs of plain prose, made without the parser: ten times as quick, and the commonest blocks."""
        while "\n\n" in self._open and (match := _PROSE_CLOSED.match(self._open)):
            self._blocks.append(f"<p>{match[1].rstrip()}</p>")
            self._open = self._open[match.end() :]
            self._parsed = max(0, self._parsed - match.end())
            self._continues, self._tail, self._skip_below = None, None, 0

    def _may_freeze(self, end: int) -> bool:
        """Whether the lines since the last look can have ended a block: most only continue the one above."""
        lines = self._open[self._parsed : end].split("\n")[:-1]
        if self._continues is not None and all(self._continues.match(line) for line in lines):
            return self._begins_anew(end)
        return bool(lines) or self._begins_anew(end)

    def _begins_anew(self, end: int) -> bool:
        """Whether the partial line has begun what cannot continue a list or indented code above it."""
        partial = self._open[end:]
        return self._open[:end].endswith("\n\n") and bool(partial) and not re.match(r"[\s\d+*-]", partial)

    def _freeze(self, end: int) -> None:
        head = self._open[:end]
        lines = head.split("\n")[:-1]
        env = self._env()
        blocks = list(top_blocks(outline(head, env), head))
        self._parsed = end
        final = len(blocks) if blocks and self._is_closed(blocks[-1], lines, end) else len(blocks) - 1
        cut = 0
        if final > 0:
            self._blocks += [render_tokens(complete(block.tokens, env), env) for block in blocks[:final]]
            cut = blocks[final - 1].end
            if final < len(blocks):
                cut = min(cut, blocks[final].start)
            # A definition after the cut is read again: its title may still be on its way.
            for label, reference in dict(env["references"]).items():  # type: ignore[call-overload]
                if label in self._references or reference["map"][1] <= cut:
                    self._references[label] = reference
            offset = sum(len(line) + 1 for line in lines[:cut])
            self._open = self._open[offset:]
            self._parsed -= offset
            self._tail = None
        if blocks and final < len(blocks):
            self._fence = _open_fence(blocks[-1], lines)
        unfinished = blocks[-1].tokens[0].type if blocks and final < len(blocks) else ""
        self._continues = _CONTINUES.get(unfinished)
        self._fence_line = self._fence.line - cut if self._fence else 0
        self._coloured = (0, "")
        self._skip_below = len(self._open) * 5 // 4 if len(self._open) > PARSED_UP_TO else 0

    def _is_closed(self, block: Block, lines: list[str], end: int) -> bool:
        """Whether the last block of the complete lines can no longer change."""
        kind = block.tokens[0].type
        if kind == "fence":
            return block.end <= len(lines) and _open_fence(block, lines) is None
        is_first_row = "|" in lines[block.start]  # of a table, should a rule follow
        if kind in _CLOSED_BY_ITSELF and block.tokens[0].markup not in ("=", "-") and not is_first_row:
            return True
        if not lines or lines[-1].strip():
            return False
        return kind in _CLOSED_BY_BLANK or self._begins_anew(end)

    def _render_tail(self) -> tuple[int, str]:
        source, size = self._open, len(self._open)
        if self._fence is not None:
            return size, self._fence_tail(self._fence)
        if self._tail is not None and PARSED_UP_TO < size < self._tail[0] * 5 // 4:
            return self._tail[0], f'{self._tail[1]}<p class="plain">{escape_visible(source[self._tail[0] :])}</p>'
        if _PROSE_SO_FAR.fullmatch(source):
            return size, f"<p>{source.rstrip()}</p>"
        end = source.rfind("\n") + 1
        if _MARKER_ONLY.fullmatch(source, end):
            source = source[:end].rstrip("\n")
        env = {**self._env(), "provisional": True, "inline_cache": self._inline_cache}
        source = _with_table_rule(source)
        return size, "".join(render_tokens(block.tokens, env) for block in top_blocks(parse(source, env), source))

    def _fence_tail(self, fence: _Fence) -> str:
        """An open code block, made without the parser: it may be long, and it is the commonest long block."""
        lines = self._open.split("\n")[self._fence_line + 1 :]
        if lines and re.fullmatch(r" {0,3}[`~]+", lines[-1]):
            lines.pop()
        if fence.indent:
            lines = [line[min(fence.indent, len(line) - len(line.lstrip(" "))) :] for line in lines]
        words = fence.info.split()
        code, language = "\n".join(lines), words[0] if words else ""
        done, body = self._coloured
        lines_end = code.rfind("\n") + 1
        # Line by line while the code is short, then at every eighth more: colouring stays linear.
        if lines_end > done and (lines_end < COLOURED_BY_LINE or lines_end - done > done // 8):
            done, body = self._coloured = lines_end, code_body(code[:lines_end], language)
        return code_frame(body + escape_visible(code[done:]), language)
