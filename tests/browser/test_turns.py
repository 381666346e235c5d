"""What one can do with a message: edit it and read its versions, have it answered anew, wait for it, see its cost."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.pages import ANSWER, connected, fresh_log_html, last_answer, log_html, new_thread, say, settled
from tests.flows.stack import Stack

USER = "article[data-role=user]"


def ask(page: Page, text: str) -> Locator:
    """Sends a message and gives its answer, once the thread is at rest."""
    before = page.locator("article[data-role=assistant]").count()
    say(page, text)
    expect(page.locator("article[data-role=assistant]")).to_have_count(before + 1)
    return settled(page)


def edit(page: Page, question: Locator, text: str) -> None:
    question.hover()
    question.get_by_role("link", name="Edit").click()
    box = question.get_by_role("textbox")
    expect(box).to_be_focused()
    box.fill(text)
    question.get_by_role("button", name=re.compile("Send|Queue|Stop")).click()


def questions(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(f"{USER} .plain").all_inner_texts()]


def test_fact_36_an_edited_message_is_version_two_and_version_one_can_be_opened_again_by_its_address(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    main = page.url
    ask(page, "The first thing")
    ask(page, "And what follows it")
    other = person.new_page()
    other.goto(main)
    connected(other)

    edit(page, page.locator(USER).first, "Another thing")
    expect(page.locator(USER)).to_have_count(1)
    expect(page.locator(USER).first.locator(".siblings")).to_contain_text("2/2")
    expect(settled(page)).to_contain_text("Another thing")
    expect(page.locator(".edit-form")).to_have_count(0)
    settled(other)
    assert log_html(page) == log_html(other) == fresh_log_html(page)

    page.get_by_role("link", name="Previous version").click()
    page.wait_for_url(re.compile(r"\?leaf=\d+$"))
    connected(page)
    assert questions(page) == ["The first thing", "And what follows it"]
    expect(page.locator("#branch")).to_contain_text("another version")
    assert questions(other) == ["Another thing"]
    page.reload()
    connected(page)
    assert questions(page) == ["The first thing", "And what follows it"]
    assert log_html(page) == fresh_log_html(page)

    ask(page, "Go on here")
    assert questions(page) == ["The first thing", "And what follows it", "Go on here"]
    expect(page.locator("#branch")).to_be_hidden()
    expect(other.locator(USER)).to_have_count(3)
    settled(other)
    assert log_html(page) == log_html(other) == fresh_log_html(page)


def test_what_changed_is_shown_word_by_word(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    ask(page, "Name three green plants")
    edit(page, page.locator(USER).first, "Name four green animals")
    settled(page)
    page.get_by_text("What changed").click()
    expect(page.locator(".changes del")).to_have_text(["three", "plants"])
    expect(page.locator(".changes ins")).to_have_text(["four", "animals"])


def test_an_edit_is_given_up_with_escape_and_lives_through_what_others_do(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    ask(page, "One")
    other = person.new_page()
    other.goto(page.url)
    connected(other)
    question = page.locator(USER).first
    question.hover()
    question.get_by_role("link", name="Edit").click()
    box = question.get_by_role("textbox")
    expect(box).to_have_value("One")
    expect(question.locator(".prose").first).to_be_hidden()
    box.fill("Half a thought")
    ask(other, "Two")
    expect(page.locator(USER)).to_have_count(2)
    assert box.input_value() == "Half a thought"
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(question.locator(".prose").first).to_be_visible()
    expect(question.get_by_role("link", name="Edit")).to_be_focused()
    expect(page.locator("article[data-role=assistant]")).to_have_count(2)
    settled(page)
    assert log_html(page) == log_html(other)


def test_an_edit_while_the_agent_works_waits_and_then_is_a_version(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=3000 rate=30]]")
    expect(last_answer(page)).to_contain_text("w3 ")
    edit(page, page.locator(USER).first, "Something shorter")
    expect(page.locator("#queue .queue-row")).to_contain_text("Something shorter")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(USER).first.locator(".siblings")).to_contain_text("2/2", timeout=20_000)
    expect(settled(page)).to_contain_text("Something shorter")
    assert questions(page) == ["Something shorter"]
    assert log_html(page) == fresh_log_html(page)


def test_a_new_branch_goes_on_from_an_earlier_answer(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    main = page.url
    ask(page, "One")
    ask(page, "Two")
    first = page.locator("article[data-role=assistant]").first
    first.hover()
    first.get_by_role("link", name="Branch").click()
    page.wait_for_url(re.compile(r"\?from=\d+$"))
    connected(page)
    assert questions(page) == ["One"]
    expect(page.locator("#branch")).to_contain_text("new branch")
    ask(page, "Three")
    assert page.url == main
    assert questions(page) == ["One", "Three"]
    expect(page.locator(USER).last.locator(".siblings")).to_contain_text("2/2")
    assert log_html(page) == fresh_log_html(page)


def test_fact_33_after_the_worker_died_the_text_is_kept_and_continue_completes_it(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=400 rate=20]]")
    expect(last_answer(page)).to_contain_text("w60 ")  # what is a second old is durable
    stack.parts["worker"].kill()
    try:
        expect(last_answer(page).locator(".error-card")).to_contain_text("Interrupted", timeout=30_000)
        expect(last_answer(page)).to_contain_text("w20 ")
    finally:
        stack.restart("worker")
    expect(page.locator(".siblings")).to_contain_text("2/2", timeout=30_000)
    page.get_by_role("button", name="Stop").click()
    settled(page)
    page.get_by_role("link", name="Previous version").click()
    connected(page)
    expect(last_answer(page)).to_contain_text("w20 ")
    answers = page.locator(ANSWER).count()
    last_answer(page).get_by_role("button", name="Continue").click()
    expect(page.locator(USER)).to_have_count(2)
    expect(page.locator(ANSWER)).to_have_count(answers + 1)
    expect(settled(page)).to_contain_text("broke off")
    assert log_html(page) == fresh_log_html(page)


def test_fact_34_stop_from_the_runs_page_ends_the_call_and_keeps_the_text(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=3000 rate=30]]")
    expect(last_answer(page)).to_contain_text("w10 ")
    runs = person.new_page()
    runs.goto(f"{stack.origin}/runs/{last_answer(page).get_attribute('data-run')}/")
    runs.get_by_role("button", name="Stop").click()
    answer = settled(page, 5)
    assert answer.get_attribute("data-status") == "stopped"
    assert "w10 " in answer.inner_text()
    expect(page.locator("main [data-state=working]")).to_have_count(0)
    assert log_html(page) == fresh_log_html(page)


def test_fact_35_two_queued_messages_are_edited_and_removed_and_run_in_order(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=3000 rate=30]]")
    expect(last_answer(page)).to_contain_text("w3 ")
    rows = page.locator("#queue .queue-row")
    for number, text in enumerate(("The second", "The third", "The fourth"), 1):
        say(page, text)
        expect(rows).to_have_count(number)
    rows.nth(2).get_by_role("button", name="Remove").click()
    expect(rows).to_have_count(2)

    other = person.new_page()
    other.goto(page.url)
    connected(other)
    rows.nth(1).get_by_text("Edit").click()
    rows.nth(1).get_by_role("textbox").fill("Half typed")
    theirs = other.locator("#queue .queue-row").nth(1)
    theirs.get_by_text("Edit").click()
    theirs.get_by_role("textbox").fill("From another tab")
    theirs.get_by_role("button", name="Save").click()
    expect(page.get_by_text("changed in another tab")).to_be_visible()
    assert rows.nth(1).get_by_role("textbox").input_value() == "Half typed"
    rows.nth(1).get_by_role("textbox").fill("The third, edited")
    rows.nth(1).get_by_role("button", name="Save").click()
    expect(other.locator("#queue .queue-text").nth(1)).to_have_text("The third, edited")
    page.close()
    other.get_by_role("button", name="Stop").click()
    expect(other.locator(USER)).to_have_count(3)
    settled(other)
    assert questions(other) == ["[[script: long n=3000 rate=30]]", "The second", "The third, edited"]


def test_fact_44_a_rate_limit_counts_down_and_tries_again_and_a_refused_key_is_named(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: status code=429 retry=5]] slowly")
    pill = last_answer(page).locator(".turn-head .pill")
    expect(pill).to_contain_text("slow down")
    expect(pill.locator("[data-until]")).to_contain_text(re.compile(r"in \d s"))
    expect(settled(page)).to_contain_text("slowly")
    expect(pill).not_to_contain_text("slow down")
    say(page, "[[script: 401]]")
    card = last_answer(page).locator(".error-card")
    expect(card).to_contain_text("refused the API key")
    expect(card.get_by_role("link", name="Fix the key")).to_be_visible()
    settled(page)
    page.reload()
    expect(card).to_contain_text("refused the API key")
    assert "Traceback" not in page.content()
    assert log_html(page) == fresh_log_html(page)


def test_an_answer_is_retried_with_another_model_and_both_stay(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    first = ask(page, "Which model are you?")
    first.locator("details.menu summary").click()
    choices = first.locator(".retry-with button")
    expect(choices.first).to_be_visible()
    choices.last.click()
    expect(last_answer(page).locator(".siblings")).to_contain_text("2/2")
    settled(page)
    assert log_html(page) == fresh_log_html(page)


def test_fact_46_a_title_is_made_once_of_at_most_six_words_and_a_persons_is_never_changed(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    title = page.locator("#t-title h1")
    ask(page, "Wie wird das Wetter am Wochenende in Hamburg und Bremen?")
    expect(title).to_have_text("Wie wird das Wetter am Wochenende")
    ask(page, "Something quite different")
    expect(title).to_have_text("Wie wird das Wetter am Wochenende")

    mine = new_thread(person, stack)
    mine.locator("#t-title").evaluate(
        """async (box, body) => fetch(location.pathname + "title/", {method: "POST", body: new URLSearchParams(body),
        headers: {"X-CSRFToken": document.querySelector("meta[name=csrf-token]").content}})""",
        {"title": "Mine"},
    )
    expect(mine.locator("#t-title h1")).to_have_text("Mine")
    ask(mine, "Call it something else")
    expect(mine.locator("#t-title h1")).to_have_text("Mine")
    mine.reload()
    expect(mine.locator("#t-title h1")).to_have_text("Mine")
