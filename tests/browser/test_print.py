"""A thread on paper: all that was said and nothing to press, light, with addresses where links were."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.pages import ANSWER, ask, connected, new_thread, say, settled
from tests.browser.test_look import choose_theme
from tests.flows.stack import Stack

LINE = "value = " + " + ".join(f"part_{number}" for number in range(120))
TEXT = f"""See [the notes](https://docs.example.org/notes/4) first.

```python
{LINE}
```

| {" | ".join(f"column {number}" for number in range(14))} |
|{"---|" * 14}
| {" | ".join(f"cell {number}" for number in range(14))} |
"""
HIDDEN = (
    ".rail",
    ".dock",
    "#composer",
    "main button",
    "main .btn",
    "main summary.btn",
    ".foot-row",
    ".t-state",
    ".copy",
)
OFF_THE_PAPER = """() => [...document.querySelectorAll("#log, #log pre, #log pre code, #log .prose > *")].filter(
  (it) => it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).overflowX !== "visible"
    || it.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map((it) => it.outerHTML.slice(0, 80))"""
BRIGHTNESS = """(it, name) => {
  const [red, green, blue, alpha = 1] = getComputedStyle(it)[name].match(/[\\d.]+/g).map(Number);
  return alpha ? Math.round((red + green + blue) / 3) : 255;
}"""


def talked(person: BrowserContext, stack: Stack) -> Page:
    """A thread that is longer than a screen, in the dark."""
    page = person.new_page()
    choose_theme(page, stack, "dark")
    page.close()
    page = new_thread(person, stack)
    say(page, f"[[script: text base64={base64.b64encode(TEXT.encode()).decode()}]]")
    settled(page)
    ask(page, "[[script: long n=900]]")
    for number in range(7):
        ask(page, f"Question {number}")
    return page


@pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
def test_a_thread_prints_whole_and_light_without_anything_to_press(
    stack: Stack, contexts: Callable[..., BrowserContext], cookies: list[dict[str, object]]
) -> None:
    person = contexts()
    person.add_cookies(cookies)  # type: ignore[arg-type]
    page = talked(person, stack)
    page.reload()
    connected(page)
    page.set_viewport_size({"width": 718, "height": 1000})  # a sheet of A4 between its margins
    page.emulate_media(media="print")
    for what in HIDDEN:
        for each in page.locator(what).all():
            expect(each).to_be_hidden()
    assert page.locator(ANSWER).count() == 9
    for turn in page.locator("#log > article").all():
        assert turn.evaluate("it => getComputedStyle(it).contentVisibility") == "visible"
    height = (
        "() => [document.documentElement.scrollHeight, document.querySelector('#log').getBoundingClientRect().height]"
    )
    whole, log = page.evaluate(height)
    assert whole >= log > 2000, "the conversation is the page, not a window in it"
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(OFF_THE_PAPER) == []
    link = page.get_by_role("link", name="the notes")
    assert "https://docs.example.org/notes/4" in link.evaluate("it => getComputedStyle(it, '::after').content")
    assert page.locator("body").evaluate(BRIGHTNESS, "backgroundColor") > 240
    assert page.locator("#log p").first.evaluate(BRIGHTNESS, "color") < 80
    assert page.locator("#log pre").first.evaluate(BRIGHTNESS, "backgroundColor") > 220
    page.emulate_media(media="screen")
    choose_theme(page, stack, "system")
