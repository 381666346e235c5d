r"""Formulas: where they begin and end in a text, and TeX to MathML, on the server, from a short list of elements.

Delimiters are ``$$ \[ \(``. A single ``$`` is one only where no price could be meant: models write both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from common.markdown.hidden import escape_visible

MAX_TEX = 4_000
"""Characters of one formula above which it stays source."""

_CLOSERS = {"$$": "$$", "\\(": "\\)", "\\[": "\\]"}
_AMOUNT = re.compile(r"\d[\d.,]*(?:[kKmMbB]n?)?(?=$|[\s,.;:!?)%]|[-–/][\d$])")
_COMMAND = re.compile(r"\\[A-Za-z]{2,}")
_FORMULA = re.compile(r"[\\^_{}=]|[A-Za-z]\s*[-+*/<>|]\s*[A-Za-z]|\A[A-Za-z](?:\([\w, ]*\))?\Z")

_CONTAINERS = {"math", "mrow", "mfrac", "msqrt", "mroot", "mstyle", "menclose", "merror", "mpadded", "mphantom"}
_SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none"}
_TABLES = {"mtable", "mtr", "mtd"}
_WORDS = {"mi", "mn", "mo", "mtext", "ms"}
_KEPT = _CONTAINERS | _SCRIPTS | _TABLES | _WORDS | {"mspace"}
# Nothing that hides what is written, or moves it over something else.
_INSTEAD = {"mphantom": "mrow", "mpadded": "mrow", "merror": "mrow", "menclose": "mrow"}
_SIZE = re.compile(r"-?0?\.\d{1,3}em|[0-4](?:\.\d{1,3})?em")
_YES_NO = re.compile(r"true|false")
_ATTRIBUTES = {
    ("math", "display"): re.compile(r"block|inline"),
    ("mspace", "width"): _SIZE,
    ("mo", "minsize"): _SIZE,
    ("mo", "maxsize"): _SIZE,
    ("mo", "stretchy"): _YES_NO,
    ("mo", "fence"): _YES_NO,
    ("mo", "movablelimits"): _YES_NO,
    ("mo", "form"): re.compile(r"prefix|infix|postfix"),
    ("mi", "mathvariant"): re.compile(r"normal"),
    ("mstyle", "displaystyle"): _YES_NO,
    ("mstyle", "scriptlevel"): re.compile(r"[0-2]"),
    ("mtable", "displaystyle"): _YES_NO,
    ("mfrac", "linethickness"): re.compile(r"0(?:px|em)?"),
    ("mover", "accent"): _YES_NO,
    ("munder", "accentunder"): _YES_NO,
}
# Environments that the converter does not know, and ones of the same shape that it does.
_ENVIRONMENT = re.compile(r"\\(begin|end)\{(aligned|gathered|gather\*?|equation\*?)\}")
_SHAPES = {"aligned": "split", "gathered": "matrix", "gather": "matrix", "gather*": "matrix"}
_INVISIBLE_OPERATORS = frozenset("\u2061\u2062\u2063\u2064")
_REASONS = {
    "NoAvailableTokensError": "it ends too early",
    "ExtraLeftOrMissingRightError": "\\left and \\right do not match",
    "MissingSuperScriptOrSubscriptError": "nothing follows _ or ^",
    "RecursionError": "it nests too deep",
}


class _Unknown(Exception):
    """A command that nobody knows."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula in a text: its TeX, whether it stands by itself, and where it ends, behind its closing mark."""

    tex: str
    is_display: bool
    end: int


def formula_at(text: str, pos: int) -> Formula | None:
    """The formula that begins at ``pos``, where there is a ``$`` or a backslash; None when that is something else."""
    mark = text[pos : pos + 2]
    if closer := _CLOSERS.get(mark):
        end = text.find(closer, pos + 2, pos + 2 + MAX_TEX)
        tex = text[pos + 2 : end].strip() if end >= 0 else ""
        if not tex or "`" in tex or (mark == "$$" and not _FORMULA.search(tex)):
            return None
        return Formula(tex, mark != "\\(", end + 2)
    if mark.startswith("$"):
        return _in_dollars(text, pos)
    return None


def _in_dollars(text: str, pos: int) -> Formula | None:
    """``$x$``, which must look like a formula inside and stand like one."""
    limit = pos + MAX_TEX + 2
    line = text.find("\n", pos, limit)
    limit = line if line >= 0 else limit
    end = text.find("$", pos + 1, limit)
    while end > 0 and text[end - 1] == "\\":
        end = text.find("$", end + 1, limit)
    tex = text[pos + 1 : end] if end > 0 else ""
    if not tex or tex != tex.strip() or "`" in tex:
        return None
    beside = text[pos - 1 : pos] if pos else "", text[end + 1 : end + 2]
    if any(char and (char in "$_" or char.isalnum()) for char in beside):
        return None
    if not _FORMULA.search(tex) or (_AMOUNT.match(tex) and not _COMMAND.search(tex)):
        return None
    return Formula(tex, False, end + 1)


def formula_rule(state: StateInline, silent: bool) -> bool:
    """Inline rule: a formula in running text."""
    formula = formula_at(state.src, state.pos) if state.src[state.pos] in "$\\" else None
    if formula is not None:
        if not silent:
            token = state.push("formula", "math", 0)
            token.content, token.markup = formula.tex, "$$" if formula.is_display else "$"
        state.pos = formula.end
        return True
    if state.src.startswith("$$", state.pos):  # and the second of them begins nothing either
        if not silent:
            state.pending += "$$"
        state.pos += 2
        return True
    return False


def formula_block_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Block rule: the lines from ``$$`` or ``\\[`` to its partner; without one before a blank line, a paragraph.

    Whether it begins depends on its first line alone: a text being written is cut into the blocks that it ends as.
    """
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    closer = _CLOSERS.get(first[:2])
    if closer is None or closer == "\\)":
        return False
    at = first.find(closer, 2)
    if at >= 0 and first[at + 2 :].strip():  # it stands in running text
        return False
    if silent:
        return True
    lines = [first]
    while at < 0 and _goes_on(state, start + len(lines), end):
        lines.append(_line(state, start + len(lines)))
        at = lines[-1].find(closer)
    if at >= 0 and not lines[-1][at + 2 :].strip() and (tex := "\n".join(lines)[2:-2].strip()):
        kind, state.line = "formula_block", start + len(lines)
    else:
        while _goes_on(state, start + len(lines), end):
            lines.append(_line(state, start + len(lines)))
        kind, tex, state.line = "", "\n".join(lines), start + len(lines)
        if state.line == len(state.bMarks) - 1 and state.env.get("provisional") and at < 0:
            kind, tex = "formula_begun", tex[2:].strip()
    _push(state, kind, tex, [start, state.line])
    return True


def _push(state: StateBlock, kind: str, content: str, lines: list[int]) -> None:
    if kind:
        token = state.push(kind, "math", 0)
        token.content, token.map = content, lines
        return
    state.push("paragraph_open", "p", 1).map = lines
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = content, lines, []
    state.push("paragraph_close", "p", -1)


def _line(state: StateBlock, number: int) -> str:
    return state.getLines(number, number + 1, state.blkIndent, False).strip()


def _goes_on(state: StateBlock, number: int, end: int) -> bool:
    """Whether the line can still belong to a formula that begins above it."""
    if number >= end or state.isEmpty(number) or state.sCount[number] < state.blkIndent:
        return False
    return not _line(state, number).startswith(("```", "~~~"))


@lru_cache(maxsize=2_000)
def formula_html(tex: str, *, is_display: bool) -> str:
    """A formula as MathML; one that cannot be read stays as code, with the reason. Made of known elements only."""
    try:
        if len(tex) > MAX_TEX:
            raise _Unknown(f"it has more than {MAX_TEX:,} characters")
        source = _ENVIRONMENT.sub(_known_environment, tex)
        drawn = _draw(convert_to_element(source, display="block" if is_display else "inline"))
        if "\\begin{" in source and "<mtable" not in drawn:
            raise _Unknown("its environment is not known")
    except Exception as error:  # the converter raises whatever its parser stumbles over
        why = str(error) if isinstance(error, _Unknown) else _reason(error)
        return f'<code>{escape_visible(tex)}</code> <span class="why">not a formula: {escape_visible(why)}</span>'
    return drawn


def _known_environment(match: re.Match[str]) -> str:
    shape = _SHAPES.get(match[2])
    return f"\\{match[1]}{{{shape}}}" if shape else ""


def _reason(error: Exception) -> str:
    name = type(error).__name__
    return _REASONS.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Error")).lower()


def _draw(element: Element) -> str:
    tag = _INSTEAD.get(element.tag, element.tag)
    if tag not in _KEPT:
        raise _Unknown(f"{tag} is not drawn")
    inside = _words(unescape(element.text or "")) if tag in _WORDS else "".join(_draw(child) for child in element)
    return f"<{tag}{_attributes(tag, element)}>{inside}</{tag}>"


def _attributes(tag: str, element: Element) -> str:
    kept = [
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if (pattern := _ATTRIBUTES.get((tag, name))) and pattern.fullmatch(value)
    ]
    if tag == "mtd" and element.get("columnalign") in ("left", "right"):
        kept.append(f' class="{element.get("columnalign")}"')
    return "".join(kept)


def _words(text: str) -> str:
    if _COMMAND.match(text):
        raise _Unknown(f"{text} is not known")
    return text if text in _INVISIBLE_OPERATORS else escape_visible(text)
