"""What a person does on the pages, in the words of this product."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

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
    """The log as it stands, without what only this reader did to it (opened details)."""
    found: str = page.locator("#log").evaluate("log => log.innerHTML.replace(/ open=\"\"/g, '').trim()")
    return found


def fresh_log_html(page: Page) -> str:
    """The log as a browser that has just come sees it."""
    other = page.context.new_page()
    other.goto(page.url)
    connected(other)
    html = log_html(other)
    other.close()
    return html
