"""A conversation in the browser: sending, watching, reloading, stopping, queueing, asking again."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Route, expect

from tests.browser.conftest import sign_in_link
from tests.browser.pages import ANSWER, connected, fresh_log_html, last_answer, log_html, new_thread, say, settled
from tests.flows.stack import Stack


def test_from_the_printed_link_to_a_streamed_answer_in_three_clicks(
    stack: Stack, contexts: Callable[..., BrowserContext]
) -> None:
    page = contexts().new_page()
    page.goto(sign_in_link(stack))  # the first click
    page.get_by_role("button", name="Chat with Assistant").click()  # the second
    page.locator("#box").fill("Hello there")
    page.locator("#send").click()  # the third
    expect(last_answer(page).locator(".prose").first).to_contain_text("Hello there")
    assert settled(page).get_attribute("data-status") == "complete"


def test_what_is_typed_before_the_scripts_come_stays(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    held: list[Route] = []
    page.route("**/js/draft.js", lambda route: held.append(route))
    with page.expect_request("**/js/draft.js"):
        page.goto(page.url.partition("#")[0] + "?fresh", wait_until="commit")
    page.locator("#box").press_sequentially("typed at once")
    held[0].continue_()
    page.wait_for_load_state("load")
    expect(page.locator("#box")).to_have_value("typed at once")
    page.locator("#send").click()
    expect(last_answer(page).locator(".prose").first).to_contain_text("typed at once")


def test_an_answer_grows_while_it_is_read_and_ends_as_a_fresh_page_shows_it(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=80 rate=40]]")
    expect(last_answer(page)).to_contain_text("w5 ")
    seen = len(last_answer(page).inner_text())
    expect(last_answer(page)).to_contain_text("w60 ")
    assert len(last_answer(page).inner_text()) > seen
    settled(page)
    assert log_html(page) == fresh_log_html(page)


def test_stop_keeps_what_was_written(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=2000 rate=30]]")
    expect(last_answer(page)).to_contain_text("w10 ")
    page.get_by_role("button", name="Stop").click()
    answer = settled(page, 5)
    assert answer.get_attribute("data-status") == "stopped"
    assert "w10 " in answer.inner_text()
    assert log_html(page) == fresh_log_html(page)


def test_a_message_sent_meanwhile_waits_in_the_queue_and_can_be_taken_back(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=90 rate=30]]")
    expect(last_answer(page)).to_contain_text("w3 ")
    say(page, "the second")
    say(page, "the third")
    expect(page.locator("#queue .queue-row")).to_have_count(2)
    page.locator("#queue .queue-row").last.get_by_role("button", name="Remove").click()
    expect(page.locator("#queue .queue-row")).to_have_count(1)
    expect(page.locator("article[data-role=user]")).to_have_count(2, timeout=15_000)
    settled(page)
    texts = page.locator("article[data-role=user] .prose").all_inner_texts()
    assert [text.strip() for text in texts if text.strip()] == ["[[script: long n=90 rate=30]]", "the second"]
    assert log_html(page) == fresh_log_html(page)


def test_retry_writes_another_answer_and_keeps_the_first(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: status code=500 times=3 retry=0]] please")
    expect(last_answer(page).locator(".error-card")).to_be_visible(timeout=20_000)
    assert settled(page).get_attribute("data-status") == "failed"
    last_answer(page).get_by_role("button", name="Retry").first.click()
    expect(last_answer(page)).to_have_attribute("data-status", "complete", timeout=20_000)
    expect(last_answer(page).locator(".siblings")).to_contain_text("2/2")
    assert log_html(page) == fresh_log_html(page)
    last_answer(page).get_by_role("link", name="Previous version").click()
    expect(last_answer(page)).to_have_attribute("data-status", "failed")


def test_a_failure_says_what_happened_and_what_to_do_and_stays(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: drop after=4]]")
    answer = settled(page)
    assert "w0 w1 w2 w3" in answer.inner_text()
    expect(answer.locator(".error-card")).to_contain_text("closed the connection")
    page.reload()
    expect(last_answer(page).locator(".error-card")).to_contain_text("closed the connection")
    assert "w0 w1 w2 w3" in last_answer(page).inner_text()


def test_a_tool_call_is_shown_with_its_input_and_output(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, '[[script: tool name=calculate args={"expression":"6*7"}]]')
    settled(page)
    tool = page.locator("details.tool").first
    tool.locator("summary").click()
    expect(tool).to_contain_text("42")
    assert log_html(page) == fresh_log_html(page)


def test_a_queued_message_is_edited_and_sent_now_with_the_keyboard(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=3000 rate=50]]")
    expect(page.locator("#stop")).to_have_count(1)
    rows = page.locator("#queue .queue-row")
    for number, text in enumerate(("First", "Second"), 1):
        say(page, text)
        expect(rows).to_have_count(number)
    other = page.context.new_page()
    other.goto(page.url)
    connected(other)

    rows.last.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("Instead")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for shown in (page, other):
        expect(shown.locator("#queue .queue-text").last).to_have_text("Instead")
    expect(rows.last.get_by_role("textbox")).to_be_hidden()
    rows.last.get_by_role("button", name="Send now").focus()
    page.keyboard.press("Enter")
    expect(page.locator("article[data-role=user] .plain")).to_have_text(
        ["[[script: long n=3000 rate=50]]", "Instead", "First"]
    )
    expect(page.locator(ANSWER)).to_have_count(3)
    settled(page)
    assert log_html(page) == fresh_log_html(page)
