"""A text rendered while it is written ends as the same blocks as the whole text rendered at once."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.markdown import StreamRenderer, render_blocks
from tests.common.html import look

PIECES = [
    *(
        "# H\n",
        "para **bold** text\n",
        "\n",
        "\n",
        "\n",
        "- a\n",
        "- b\n",
        "  nested\n",
        "    code\n",
        "1. x\n",
        "2. y\n",
    ),
    *(
        "10) z\n",
        "> q\n",
        "> - l\n",
        "```py\n",
        "x = 1\n",
        "```\n",
        "~~~\n",
        "| a | b |\n",
        "|---|---|\n",
        "| c | d |\n",
    ),
    *(
        "***\n",
        "---\n",
        "===\n",
        "text `code\n",
        "lazy\n",
        "[l](http://a.b)\n",
        "\t tab\n",
        "* [ ] t\n",
        "   - deep\n",
    ),
    *(
        "<div>\n",
        "\\*e\n",
        "a\r\n",
        "![i](http://h/x)\n",
        "word",
        "- ",
        "`",
        "**",
        "_em_ ",
        "  \n",
        "[x]\n",
        '"ti\n',
    ),
    *(
        "+\n",
        "-\n",
        "1.\n",
        "  ```\n",
        " x\n",
        "\ufeffz\n",
        "é中🙂",
        "<sup>1</sup>",
        "H<sub>2",
        "|",
        "\r",
        "&amp; ",
        "](",
        "[x]: ",
    ),
    *("$$\n", "\\[\n", "\\]\n", "$$", "$x_1$ ", "\\(", "\\)", "x = 1\n", "= 2\n", "$"),
]
PROSE = [
    "word ",
    "Zerg's",
    ", ",
    "end.",
    "\n\n",
    "\n\n\n",
    "\n",
    " 50% (so) ",
    "and/or ",
    '"quoted" ',
    "12:30 ",
    "http://",
    "a.b",
]
DEFINITION = "[x]: http://q.r 'title'\n\n"


def stream(text: str, cuts: list[int]) -> StreamRenderer:
    """Feed ``text`` in pieces of the given sizes, reading blocks and tail after each."""
    renderer, at, turn = StreamRenderer(), 0, 0
    seen: list[str] = []
    while at < len(text):
        size = cuts[turn % len(cuts)]
        renderer.feed(text[at : at + size])
        at, turn = at + size, turn + 1
        if size % 3:
            assert renderer.blocks[: len(seen)] == seen, "a frozen block changed"
            seen = list(renderer.blocks)
            tail = renderer.tail
            assert len(tail) > 4_000 or look(tail).balanced
    renderer.finish()
    assert renderer.blocks[: len(seen)] == seen
    assert renderer.tail == ""
    return renderer


@pytest.mark.parametrize("seed", range(40))
def test_random_documents_cut_at_random_points_end_equal(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        text = DEFINITION + "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 30)))
        cuts = [rng.randint(1, 12) for _ in range(7)]
        assert stream(text, cuts).blocks == render_blocks(text), (text, cuts)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES) | st.text("ab *_`[]()!<>#-+|~=:\\\n\t1.&;\"'", max_size=12), max_size=20),
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_any_text_in_any_pieces_ends_equal(parts: list[str], cuts: list[int]) -> None:
    text = DEFINITION + re.sub(r"\]:", "] :", "".join(parts))  # late definitions may differ
    assert stream(text, cuts).blocks == render_blocks(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PROSE) | st.text("ab ,.;:!?'\"()%-/\n", max_size=9), max_size=20))
def test_prose_looks_at_every_moment_as_if_it_ended_there(pieces: list[str]) -> None:
    renderer, text = StreamRenderer(), ""
    for piece in pieces:
        renderer.feed(piece)
        text += piece
        if not text.rpartition("\n")[2].strip(" -()%!?.,;:/'\""):
            continue  # it may become the beginning of something else than prose
        assert "".join(renderer.blocks) + renderer.tail == "".join(render_blocks(text)), text


def test_a_late_definition_changes_only_links_that_were_frozen_before_it() -> None:
    text = "[x]\n\n[x]\n\n[x]: http://q.r\n\n[x]\n"
    streamed, whole = stream(text, [4]).blocks, render_blocks(text)
    assert [look(block).tags for block in whole] == [["p", "a", "span"]] * 3
    assert streamed[0] == "<p>[x]</p>"
    assert streamed[-1] == whole[-1]


DOCUMENT = """Some **bold text**, *soft*, `code`, ~~gone~~,
[docs](https://example.org/a_b), <https://example.org>, H<sub>2</sub>O.

| Package | **From** |
|---|--:|
| asgi | `3.8` |

- item **one** `a`
- [ ] task

```python
def f():
    return x
```

> quote **b**

![chart](https://h.i/x.png)

## Last _line_ **here**
"""


def test_no_raw_syntax_shows_at_any_moment() -> None:
    renderer = StreamRenderer()
    for char in DOCUMENT:
        renderer.feed(char)
        text = look(renderer.tail).text
        assert not re.search(r"\*|`|\]\(|<|\[|\||~~|#", text), text


def test_a_finished_paragraph_is_frozen_by_the_blank_line_below_it() -> None:
    renderer = StreamRenderer()
    renderer.feed("one\n\ntw")
    assert renderer.blocks == ["<p>one</p>"]
    assert renderer.tail == "<p>tw</p>"


def test_a_closed_code_block_is_frozen_at_once_so_that_its_button_stays() -> None:
    renderer = StreamRenderer()
    renderer.feed("```sh\nls\n")
    assert renderer.blocks == []
    renderer.feed("```\nand the rest of a long line")
    assert len(renderer.blocks) == 1
    assert renderer.tail == "<p>and the rest of a long line</p>"


def test_a_list_waits_for_what_may_still_belong_to_it() -> None:
    renderer = StreamRenderer()
    renderer.feed("1. a\n\n2")
    assert renderer.blocks == []
    renderer.feed(". b\n\nT")
    assert [look(block).tags[0] for block in renderer.blocks] == ["ol"]


def test_the_cost_of_a_piece_does_not_grow_with_what_is_frozen() -> None:
    paragraph = "Two **releases** landed with `code` and [docs](https://a.b/c). One needs action.\n\n"
    renderer = StreamRenderer()

    def cost() -> float:
        begun = time.process_time()
        for _ in range(200):
            renderer.feed(paragraph)
            assert renderer.blocks
            assert renderer.tail == ""
        return time.process_time() - begun

    early = min(cost() for _ in range(3))
    renderer.feed(paragraph * 3_000)
    assert len(renderer.blocks) > 3_000
    late = min(cost() for _ in range(3))
    assert late < early * 3 + 0.05


ENDLESS = {
    "paragraph": "word **b** " * 3_000,
    "code": "```python\n" + "x = 1\n" * 8_000,
    "list": "- item `a`\n" * 2_500,
    "table": "| a | b |\n|---|---|\n" + "| c | d |\n" * 2_600,
}


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_a_block_that_never_ends_stays_affordable(text: str) -> None:
    begun = time.process_time()
    assert stream(text, [400]).blocks == render_blocks(text)
    assert time.process_time() - begun < 30
