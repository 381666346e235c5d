"""A conversation in the browser: sending, watching, reloading, stopping, queueing, asking again."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Watch, sign_in_link
from tests.browser.pages import connected, fresh_log_html, last_answer, log_html, new_thread, say, settled
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


def test_markdown_arrives_rendered_and_is_the_same_after_a_reload(stack: Stack, person: BrowserContext) -> None:
    for script in ("code", "table", "list"):
        page = new_thread(person, stack)
        say(page, f"[[script: {script}]]")
        settled(page)
        assert "```" not in last_answer(page).inner_text()
        assert log_html(page) == fresh_log_html(page)
        page.close()


def test_a_reload_in_the_middle_shows_all_so_far_and_goes_on(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=150 rate=40]]")
    expect(last_answer(page)).to_contain_text("w20 ")
    page.reload()
    expect(last_answer(page)).to_contain_text("w0 w1 w2 ")
    connected(page)
    words = settled(page).locator(".prose").first.inner_text().split()
    assert words == [f"w{number}" for number in range(150)]
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


def test_two_tabs_show_the_same(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    other = person.new_page()
    other.goto(page.url)
    connected(other)
    say(page, "[[script: code rate=60]]")
    settled(page)
    settled(other)
    assert log_html(page) == log_html(other) == fresh_log_html(page)


def test_retry_writes_another_answer_and_keeps_the_first(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: status code=500 times=3 retry=0]] please")
    expect(last_answer(page).locator(".error-card")).to_be_visible(timeout=20_000)
    assert settled(page).get_attribute("data-status") == "failed"
    last_answer(page).get_by_role("button", name="Retry").first.click()
    expect(last_answer(page)).to_have_attribute("data-status", "complete", timeout=20_000)
    expect(last_answer(page).locator(".siblings")).to_contain_text("2/2")
    assert log_html(page) == fresh_log_html(page)
    last_answer(page).get_by_role("button", name="Previous version").click()
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


def test_hostile_text_stays_text(stack: Stack, person: BrowserContext, watch: Watch) -> None:
    page = new_thread(person, stack)
    page.on("dialog", lambda dialog: watch.faults.append(f"dialog: {dialog.message}"))
    for script in ("xss", "image"):
        say(page, f"[[script: {script}]]")
        settled(page)
    bad = page.locator("#log :is(script, iframe, svg, img, style, [onerror], [onload], [style], .prose [hx-get])")
    expect(bad).to_have_count(0)
    assert page.locator('#log a[href^="javascript:"]').count() == 0


def test_a_server_that_is_gone_loses_nothing(stack: Stack, person: BrowserContext, watch: Watch) -> None:
    watch.expected = [r"ERR_CONNECTION|WebSocket|Failed to load resource"]
    page = new_thread(person, stack)
    stack.parts["web"].kill()
    say(page, "are you there?")
    expect(page.locator("#strip")).to_be_visible()
    stack.restart("web")
    stack.until_ready()
    expect(last_answer(page)).to_contain_text("are you there?", timeout=30_000)
    settled(page)
    assert page.locator("article[data-role=user]").count() == 1
    assert log_html(page) == fresh_log_html(page)


def test_signed_out_in_another_tab_keeps_the_text(
    stack: Stack, contexts: Callable[..., BrowserContext], watch: Watch
) -> None:
    watch.expected = [r"40[13]|WebSocket"]
    context = contexts()
    page = context.new_page()
    page.goto(sign_in_link(stack))
    page.get_by_role("button", name="Chat with Assistant").click()
    connected(page)
    context.clear_cookies()
    say(page, "keep me")
    expect(page.get_by_text(re.compile("You were signed out"))).to_be_visible()
    assert page.locator("#box").input_value() == "keep me"
