"""Formulas become MathML, prices stay prices, and what cannot be read stays as it was written, with the reason."""

from __future__ import annotations

import time

import pytest

from common.markdown import StreamRenderer, render_blocks
from tests.common.html import look


def maths(text: str) -> int:
    return sum(look(block).tags.count("math") for block in render_blocks(text))


@pytest.mark.parametrize(
    "text",
    [
        "$50 to $100",
        "It costs $5, or $10 for two.",
        "from $5-$10 and $5/$10",
        "$5,000 or $6,000, US$5 and A$6",
        "$1.5M in ARR=$2M",
        "$5 = $6",
        "$3.50$",
        "$HOME/bin and $PATH",
        "export A=$B:$C",
        "$ x = 1 $",
        "\\$x^2\\$",
        "`$x^2$`",
        "$$ and $$$",
        "$$$$",
        "cost_$x$_y",
    ],
)
def test_what_a_dollar_sign_means_otherwise_stays_text(text: str) -> None:
    assert maths(text) == 0
    assert "$" in look("".join(render_blocks(text))).text


@pytest.mark.parametrize(
    "text",
    [
        "$E=mc^2$",
        "the variable $x$, say",
        "($a+b$)",
        "$2x=4$",
        "$2 \\times 3 = 6$",
        "$f(x)$",
        "\\(x_1\\)",
        "a \\[x^2\\] b",
        "$$x^2$$",
        "# About $x$",
        "| a |\n|---|\n| $x_1$ |",
        "> $$\n> x\n> $$",
        "- $$a$$",
        "[a $x$](https://a.example/)",
    ],
)
def test_a_formula_is_drawn_wherever_text_may_stand(text: str) -> None:
    assert maths(text) == 1


def test_a_formula_between_its_lines_is_one_block_whatever_its_lines_look_like() -> None:
    blocks = render_blocks("Text\n\\[\nx\n- 1\n= 2\n\\]\nMore")
    assert [look(block).tags[0] for block in blocks] == ["p", "div", "p"]
    assert blocks[1].startswith('<div class="math" tabindex="0"><math display="block">')


def test_one_that_never_ends_is_a_paragraph_and_takes_nothing_along() -> None:
    assert [look(block).tags[0] for block in render_blocks("$$\nx\n\n- a\n\n$$ b\n```\nc\n```\n")] == [
        "p",
        "ul",
        "p",
        "div",
    ]


@pytest.mark.parametrize(
    ("tex", "why"),
    [
        ("\\frac{", "it ends too early"),
        ("\\left( x", "\\left and \\right do not match"),
        ("x_", "nothing follows _ or ^"),
        ("\\foo{x}", "\\foo is not known"),
        ("\\begin{chemistry}a & b\\end{chemistry}", "its environment is not known"),
        ("{" * 3000, "it nests too deep"),
    ],
)
def test_what_cannot_be_read_stays_as_code_with_the_reason(tex: str, why: str) -> None:
    (block,) = render_blocks(f"So \\({tex}\\) it is.")
    assert look(block).text == f"So {tex} not a formula: {why} it is."
    assert look(block).tags == ["p", "code", "span"]


def test_words_in_a_formula_are_text() -> None:
    (block,) = render_blocks("$x_\\text{<b>&}$")
    assert look(block).text == "x<b>&"


def test_while_it_is_written_a_formula_shows_as_code_without_its_marks() -> None:
    renderer = StreamRenderer()
    seen = set()
    for char in "So \\(x_1 + x_2\\), and\n\n$$\n\\frac{a}{b}\n$$\n\nEnd":
        renderer.feed(char)
        text = look(renderer.tail).text
        assert "\\(" not in text
        assert "$$" not in text
        seen.add(text)
    assert {"So x_1", "\\frac{a}"} <= seen
    assert [look(block).tags[0] for block in renderer.blocks] == ["p", "div"]


@pytest.mark.parametrize("unit", ["$", "$x", "\\(", "\\[", "$$\n", "$a^", "\\(x^{", "$\\$", "$$x", "x^{"])
def test_a_quarter_megabyte_of_marks_is_affordable(unit: str) -> None:
    begun = time.process_time()
    render_blocks(unit * (250_000 // len(unit)))
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("name", ["aligned", "align*", "split", "gathered", "cases", "bmatrix"])
def test_lines_of_a_formula_stand_below_each_other(name: str) -> None:
    (block,) = render_blocks(f"\\[\\begin{{{name}}}a&=b\\\\c&=d\\end{{{name}}}\\]")
    assert look(block).tags.count("mtr") == 2
    assert "&" not in look(block).text


def test_an_equation_needs_no_name() -> None:
    assert maths("\\[\\begin{equation}x=1\\end{equation}\\]") == 1
