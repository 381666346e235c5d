"""Markdown becomes the HTML that the stylesheet and the live page rely on."""

from __future__ import annotations

import time

import pytest

from common.markdown import render_blocks, render_html, render_plain
from tests.common.html import look

DOCUMENT = """# Title

Some **bold**, *soft*, `code`, ~~gone~~, H<sub>2</sub>O.
Second line

- one
- [x] done

3. three

> said

| a | b |
|---|--:|
| 1 | 2<br>3 |

```python
def f(): pass
```

    indented

***
"""


def test_every_block_is_exactly_one_balanced_element() -> None:
    blocks = render_blocks(DOCUMENT)
    assert [look(block).tags[0] for block in blocks] == [
        "h3",
        "p",
        "ul",
        "ol",
        "blockquote",
        "div",
        "div",
        "div",
        "hr",
    ]
    for block in blocks:
        assert look(block).roots == 1
        assert look(block).balanced


def test_the_whole_is_its_blocks_without_anything_between() -> None:
    assert str(render_html(DOCUMENT)) == "".join(render_blocks(DOCUMENT))


def test_code_has_a_language_a_copy_button_and_classes_only() -> None:
    (block,) = render_blocks("```Python title=x\nx = '<b>'\n```")
    seen = look(block)
    assert seen.text == "pythonCopyx = '<b>'\n"
    assert ("button", "type", "button") in seen.attributes
    assert ("button", "class", "copy") in seen.attributes
    assert {name for tag, name, _ in seen.attributes if tag == "span"} == {"class"}
    assert block.startswith('<div class="code"><div class="code-head"><span>python</span>')


def test_code_inside_a_list_keeps_its_frame_and_its_place() -> None:
    (block,) = render_blocks("- a\n\n  ```js\n  let x\n  ```\n- b")
    assert look(block).tags[:4] == ["ul", "li", "p", "div"]
    assert look(block).text.replace("\n", "") == "ajsCopylet xb"


@pytest.mark.parametrize("language", ["brainfuck", "", "<script>", "x" * 500, "python'><img>"])
def test_an_unknown_language_is_shown_plain(language: str) -> None:
    seen = look(render_blocks(f"```{language}\na<b\n```")[0])
    assert set(seen.tags) <= {"div", "span", "button", "pre", "code"}
    assert seen.text.endswith("a<b\n")


def test_code_above_64_kb_is_not_coloured() -> None:
    (block,) = render_blocks("```python\n" + "x = 1\n" * 12_000 + "```")
    assert look(block).tags.count("span") == 1


def test_a_table_scrolls_in_its_own_frame_and_keeps_its_alignment() -> None:
    (block,) = render_blocks("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert block.startswith('<div class="table-box"><div class="table-wrap" tabindex="0"><table>')
    classes = [(tag, value) for tag, name, value in look(block).attributes if name == "class"]
    assert classes[2:] == [("th", "right"), ("td", "right"), ("button", "copy")]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("[docs](https://example.org/a)", "docs example.org"),
        ("[example.org](https://example.org/a)", "example.org"),
        ("[https://good.com](https://evil.com)", "https://good.com evil.com"),
        ("[good.com@evil.com](https://good.com@evil.com/)", "good.com@evil.com evil.com"),
        ("<https://example.org/x>", "https://example.org/x"),
        ("see https://example.org/a_b_c.", "see https://example.org/a_b_c."),
        ("(https://example.org/a(b))", "(https://example.org/a(b))"),
        ("[write](mailto:a@b.org)", "write a@b.org"),
        ("[аррӏе.com](https://аррӏе.com)", "аррӏе.com xn--80ak6aa92e.com"),
    ],
)
def test_a_link_always_shows_where_it_leads(source: str, text: str) -> None:
    seen = look(render_blocks(source)[0])
    assert seen.text == text
    assert ("a", "rel", "noopener noreferrer nofollow") in seen.attributes


def test_a_remote_image_becomes_a_link_that_names_its_host() -> None:
    seen = look(render_blocks("![a *chart*](https://img.example/x.png?q=secret)")[0])
    assert seen.tags == ["p", "a"]
    assert seen.text == "Image on img.example: a chart"


def test_an_image_inside_a_link_makes_no_link_in_a_link() -> None:
    seen = look(render_blocks("[![a](https://img.example/x.png)](https://other.example/)")[0])
    assert seen.tags.count("a") == 1
    assert seen.text == "Image on img.example: a other.example"


def test_tags_that_models_write_work_only_in_pairs() -> None:
    assert look(render_blocks("x<sup>2</sup> a<br>b <sup>c <kbd>d")[0]).tags == ["p", "sup", "br"]
    assert look(render_blocks("a <sup> b")[0]).text == "a <sup> b"


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\u202e", "U+202E"),
        ("&#x202e;", "U+202E"),
        ("\u200b", "U+200B"),
        ("\u200b\u200b\u200b", "3 hidden characters"),
        ("".join(chr(0xE0000 + ord(c)) for c in "ignore previous"), "15 hidden characters"),
        ("\x1b", "U+001B"),
        ("\ufe01\ufe02\ufe03", "3 hidden characters"),
    ],
)
def test_hidden_characters_are_shown(char: str, shown: str) -> None:
    for html in ("".join(render_blocks(f"a{char}b")), "".join(render_blocks(f"```\na{char}b\n```"))):
        if not (char.startswith("&") and "<pre" in html):
            assert f"a{shown}b" in look(html).text
    if not char.startswith("&"):
        assert f"a{shown}b" in look(render_plain(f"a{char}b")).text


@pytest.mark.parametrize("text", ["👨‍👩‍👧", "می‌خواهم", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"])
def test_characters_that_scripts_and_emoji_need_are_left_alone(text: str) -> None:
    assert look(render_blocks(text)[0]).text == text


def test_plain_text_is_not_interpreted_and_keeps_its_lines() -> None:
    html = render_plain("**a**\n<b> https://x.org\r\n![i](https://x.org/i.png)")
    assert look(html).tags == ["div"]
    assert look(html).text == "**a**\n<b> https://x.org\n![i](https://x.org/i.png)"


def test_nul_and_lone_surrogates_become_replacement_characters() -> None:
    for html in (str(render_html("a\0b\ud800c\udfff")), render_plain("a\0b\ud800c\udfff")):
        assert look(html).text == "a\ufffdb\ufffdc\ufffd"
        html.encode()


@pytest.mark.parametrize("mark", ["> ", "- ", "1. ", "*", "[", "![", "_", "<sup>", "(", "`a", "~~a"])
def test_ten_thousand_levels_lose_no_text(mark: str) -> None:
    begun = time.process_time()
    seen = look(str(render_html(mark * 10_000 + "the end\n\nafter")))
    assert "the end" in seen.text
    assert "after" in seen.text
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("unit", ["word ", "| a ", "[", "`", "<", "> > a\n"])
def test_a_megabyte_is_rendered_without_trouble(unit: str) -> None:
    blocks = render_blocks(unit * (1_000_000 // len(unit)))
    assert all(look(block).roots == 1 for block in blocks[:50])
