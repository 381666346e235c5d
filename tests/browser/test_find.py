"""Finding in a thread: in all of it, with what is loaded marked, and from hit to hit with the keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.pages import connected
from tests.flows.stack import Stack

HIDE_WORDS = """
from threads.models import Thread
thread = Thread.objects.order_by("-pk")[0]
said = {3: "A pangolin, **pangolins**, and no pan.", 290: "The Pangolín sleeps.", 300: "Where does the pangolin live?"}
for seq, text in said.items():
    thread.messages.filter(seq=seq).update(content=text, html="")
print(thread.pk)
"""
"""Two of them in what is loaded at first, one far above it."""
MARKED = """() => [...CSS.highlights.get("found") ?? []].map((range) => range.startContainer.data.slice(
    range.startOffset, range.endOffset))"""


@pytest.fixture(scope="module")
def address(stack: Stack) -> str:
    """A thread of 300 messages in which three speak of pangolins."""
    stack.manage("seed", "--agents", "1", "--threads", "1", "--messages", "300")
    thread = stack.manage("shell", "--no-imports", "-v", "0", "-c", HIDE_WORDS).split()[-1]
    return f"{stack.origin}/threads/{thread}/"


@pytest.fixture
def page(person: BrowserContext, address: str) -> Page:
    """The thread, with its keys listened to."""
    page = person.new_page()
    page.goto(address)
    connected(page)
    page.wait_for_load_state("load")
    return page


def box(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Find in this thread")


def look_for(page: Page, words: str) -> None:
    """Types into the box, which has the focus."""
    expect(box(page)).to_be_focused()
    page.keyboard.type(words)
    expect(page.locator(f"#find-hits [data-q='{words}']")).to_have_count(1)


def shows(page: Page, seq: int) -> None:
    """The words of message ``seq`` are in view, and nothing of the panel is above them."""
    prose = page.locator(f"article[data-seq='{seq}'] .prose").first
    expect(prose).to_be_in_viewport()
    inside = page.locator("#find .find-body").bounding_box()
    words = prose.locator("> *").first.bounding_box()
    assert inside is not None
    assert words is not None
    assert words["y"] >= inside["y"] + inside["height"], "the panel covers what was found"


def test_hits_are_marked_and_gone_through_in_what_is_loaded_and_in_what_is_not(page: Page) -> None:
    page.locator("#find > summary").click()
    look_for(page, "pangolin")
    expect(page.locator("#find-hits [role=status]")).to_have_text("3 found")
    assert page.evaluate(MARKED) == ["Pangolín", "pangolin"]

    where = page.locator("#find-count")
    page.get_by_role("button", name="Next hit").click()
    expect(where).to_have_text("1 of 3")
    shows(page, 300)
    page.get_by_role("button", name="Next hit").click()
    expect(where).to_have_text("2 of 3")
    shows(page, 290)
    assert "around" not in page.url, "what is loaded is gone to on this page"

    page.get_by_role("button", name="Next hit").click()
    page.wait_for_url(re.compile(r"\?around=\d+&find=pangolin#m-\d+$"))
    expect(where).to_have_text("3 of 3")
    expect(box(page)).to_have_value("pangolin")
    shows(page, 3)
    assert page.evaluate(MARKED) == ["pangolin", "pangolins"], "words from their beginning, each by itself"
    page.get_by_role("button", name="Previous hit").click()
    page.wait_for_url(re.compile(r"find=pangolin#m-\d+$"))
    expect(where).to_have_text("2 of 3")
    shows(page, 290)

    where.click()  # the list again
    chosen = page.locator("#find-hits a[aria-current=true]")
    expect(chosen).to_contain_text("The Pangolín sleeps.")
    page.locator("#find-hits a").first.click()
    expect(where).to_have_text("1 of 3")
    expect(where).to_be_focused()
    expect(page.locator("#find-hits")).to_be_hidden()


def test_with_the_keyboard_alone_hits_are_gone_through_and_escape_gives_the_focus_back(page: Page) -> None:
    before = page.locator("article[data-seq='299'] .when")
    before.focus()
    page.keyboard.press("f")
    look_for(page, "pangolin")
    page.keyboard.press("Enter")
    expect(page.locator("#find-count")).to_have_text("1 of 3")
    page.keyboard.press("Enter")
    expect(page.locator("#find-count")).to_have_text("2 of 3")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#find-count")).to_have_text("1 of 3")
    expect(page.locator("#say")).to_have_text("1 of 3")
    expect(box(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(box(page)).to_be_hidden()
    expect(before).to_be_focused()
    assert page.evaluate(MARKED) == []

    page.locator("#find > summary").focus()
    page.keyboard.press("Enter")
    expect(box(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#find > summary")).to_be_focused()


def test_enter_before_the_hits_have_come_goes_to_the_first_of_what_was_typed(page: Page, address: str) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    page.locator("#find > summary").click()
    expect(box(page)).to_be_focused()
    page.keyboard.type("sleeps")
    page.keyboard.press("Enter")
    expect(page.locator("#find-count")).to_have_text("1 of 1")
    shows(page, 290)
    box(page).fill("pan pangolin nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("#find-hits [role=status]")).to_have_text("No message here has these words")
    expect(page.locator("#find-count")).to_be_hidden()
    assert page.url == address


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_the_panel_is_within_the_page_and_what_was_found_is_below_it(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.locator("#find > summary").click()
    look_for(page, "pangolin")
    panel = page.locator("#find .find-body").bounding_box()
    assert panel is not None
    assert panel["x"] >= 0
    assert panel["x"] + panel["width"] <= width
    page.locator("#find-hits a").first.click()
    shows(page, 300)


def test_without_script_finding_is_a_page(
    contexts: Callable[..., BrowserContext], person: BrowserContext, address: str
) -> None:
    plain = contexts(java_script_enabled=False)
    plain.add_cookies(person.cookies())  # type: ignore[arg-type]
    page = plain.new_page()
    page.goto(address)
    page.locator("#find > summary").click()
    box(page).fill("pangolin")
    page.locator("#find").get_by_role("button", name="Find").click()
    page.wait_for_url(re.compile(r"/find/\?q=pangolin$"))
    expect(page.get_by_text("3 found")).to_be_visible()
    page.locator(".find-list a").last.click()
    expect(page.locator("article:target")).to_contain_text("A pangolin")
