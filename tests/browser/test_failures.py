"""What a person sees of an answer that failed, and can do about it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.pages import ANSWER, ask, connected, fresh_log_html, last_answer, log_html, say, settled
from tests.browser.second import Second
from tests.flows.stack import Stack


def thread_page(person: Second, **fields: object) -> Page:
    page = person.context.new_page()
    agent = person.agent("Unlucky", **fields)
    page.goto(f"{person.stack.origin}/threads/{person.thread(agent, 'What goes wrong')}/")
    connected(page)
    return page


def deeds(card: Locator) -> list[str]:
    return card.locator(".row .btn").all_inner_texts()


@pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
def test_each_failure_says_its_cause_and_what_to_do_and_says_it_still_after_a_reload(
    second: Second, stack: Stack
) -> None:
    page = thread_page(second)
    for script, cause, offered in [
        ("402", "no credit left", ["Use another model", "Retry"]),
        ("filter", "content rules", ["Edit the question", "Retry"]),
        ("toolong", r"longer than .* can read \(9,001 of 8,192 tokens\)", ["Continue with a summary"]),
    ]:
        card = ask(page, f"[[script: {script}]]").locator(".error-card")
        expect(card.locator(".cause")).to_contain_text(re.compile(cause))
        expect(card).to_contain_text("Nothing was written.")
        assert deeds(card)[: len(offered)] == offered
    before = log_html(page)
    assert before == fresh_log_html(page)
    last = page.locator(ANSWER).nth(1).locator(".error-card").get_by_role("link", name="Edit the question")
    last.click()
    expect(page.get_by_role("heading", name="Edit a message")).to_be_visible()


def test_a_thread_that_is_too_long_goes_on_with_a_summary_or_in_a_new_thread(second: Second, stack: Stack) -> None:
    page = thread_page(second, memory_strategy="buffer")
    for number in range(12):
        ask(page, f"{number} " + "word " * 60)
    card = ask(page, "[[script: atmost n=6600]] And so?").locator(".error-card")
    expect(card).to_contain_text("is longer than")

    other = second.context.new_page()
    other.goto(page.url)
    connected(other)
    other.get_by_role("button", name="New thread with the last 20").click()
    other.wait_for_url(lambda url: "/threads/" in url and url != page.url)
    connected(other)
    expect(other.locator("#t-title h1")).to_have_text("What goes wrong (continued)")
    expect(other.locator("article[data-role=user]")).to_have_count(11)
    expect(other.locator("article[data-role=user]").first).to_contain_text("2 word")
    expect(settled(other)).to_contain_text("You said: And so?")
    assert log_html(other) == fresh_log_html(other)

    card.get_by_role("button", name="Continue with a summary").click()
    expect(last_answer(page)).to_contain_text("You said: And so?")
    settled(page)
    expect(page.locator("article[data-role=summary]").first).to_be_visible()
    assert log_html(page) == fresh_log_html(page)
    expect(page.locator("#t-settings [name=memory_strategy]")).to_have_value("summary")


def test_a_wait_that_the_provider_asked_for_is_ended_by_try_now(second: Second, stack: Stack) -> None:
    page = thread_page(second)
    say(page, "[[script: status code=429 retry=50]] at last")
    expect(last_answer(page).locator("[data-until]")).to_contain_text(re.compile(r"in \d+ s"))
    other = second.context.new_page()
    other.goto(page.url)
    connected(other)
    last_answer(other).get_by_role("button", name="Try now").click()
    expect(settled(page, 30)).to_contain_text("at last")
    expect(page.get_by_role("button", name="Try now")).to_have_count(0)
    settled(other)
    assert log_html(page) == log_html(other) == fresh_log_html(page)


@pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
def test_an_answer_is_asked_for_again_without_tools(second: Second, stack: Stack) -> None:
    page = thread_page(second, tools=["current_time", "calculate"])
    answer = ask(page, "[[script: whichtools]]")
    expect(answer).to_contain_text("I have 2 tools.")
    answer.locator("details.menu summary").click()
    answer.get_by_role("button", name="Without tools").click()
    expect(last_answer(page).locator(".siblings")).to_contain_text("2/2")
    expect(settled(page)).to_contain_text("I have 0 tools.")
