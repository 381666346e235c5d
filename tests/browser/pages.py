"""What a person does on the pages, in the words of this product."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.flows.parts import wait_until
from tests.flows.stack import Stack

ANSWER = "article[data-role=assistant]"
ENDED = [f".turn-head .pill[data-state={state}]" for state in ("done", "failed", "stopped")]


def new_thread(context: BrowserContext, stack: Stack) -> Page:
    """A new conversation with the first agent, opened as people do: home, then Chat."""
    page = context.new_page()
    page.goto(f"{stack.origin}/")
    page.get_by_role("button", name="Chat with Assistant").click()
    page.wait_for_url(re.compile(r"/threads/\d+/$"))
    connected(page)
    return page


def connected(page: Page) -> None:
    """Waits until the page's socket has caught up: its strip is gone and it says so."""
    expect(page.locator("#log")).to_have_attribute("data-live", "1")


def say(page: Page, text: str) -> None:
    page.locator("#box").fill(text)
    page.locator("#box").press("Enter")


def ask(page: Page, text: str, seconds: float = 20) -> Locator:
    """Says something and gives its answer, once that is settled."""
    answers = page.locator(ANSWER).count()
    say(page, text)
    expect(page.locator(ANSWER)).to_have_count(answers + 1)
    return settled(page, seconds)


def last_answer(page: Page) -> Locator:
    return page.locator(ANSWER).last


def settled(page: Page, seconds: float = 20) -> Locator:
    """The last answer, once the page shows how its run ended and that the thread is at rest."""
    answer = last_answer(page)
    ended = ", ".join(f"{state}:not([hidden])" for state in ENDED)
    expect(answer.locator(ended)).to_have_count(1, timeout=seconds * 1000)
    expect(page.locator("#stop")).to_have_count(0, timeout=seconds * 1000)
    return answer


def log_html(page: Page) -> str:
    """The log as it stands, without what only this page has: opened details, and the line above what was new to it."""
    found: str = page.locator("#log").evaluate("""log => {
        const copy = log.cloneNode(true);
        copy.querySelector(":scope > #new")?.remove();
        return copy.innerHTML.replace(/ open=""/g, "").trim();
    }""")
    return found


def show_the_same(page: Page, *others: Page) -> None:
    """Waits until the logs of all these pages are equal to the letter; and a fresh page's to theirs."""
    wait_until(lambda: len({log_html(each) for each in (page, *others)}) == 1, "all pages show the same")
    assert log_html(page) == fresh_log_html(page)


def fresh_log_html(page: Page) -> str:
    """The log as a browser that has just come sees it."""
    other = page.context.new_page()
    other.goto(page.url)
    connected(other)
    html = log_html(other)
    other.close()
    return html
