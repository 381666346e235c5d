"""The forms: the agent's with its trial, versions, keys, and the first steps."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, expect

from tests.browser.conftest import Watch
from tests.browser.pages import settled
from tests.flows.stack import Stack


def new_agent_form(person: BrowserContext, stack: Stack, query: str = "") -> Page:
    page = person.new_page()
    page.goto(f"{stack.origin}/agents/new/{query}")
    return page


def attempt(page: Page, text: str) -> None:
    page.locator("#try-box").fill(text)
    page.locator("#try-box").press("Enter")


def listed(page: Page) -> list[str]:
    """The threads of the list, whatever they do just now."""
    links = page.locator("main [data-row] a.clip")
    return sorted(links.evaluate_all("links => links.map((link) => `${link.textContent} ${link.href}`)"))


def test_the_unsaved_agent_answers_beside_its_form_and_is_nowhere_else(stack: Stack, person: BrowserContext) -> None:
    page = new_agent_form(person, stack)
    before = page.context.new_page()
    before.goto(f"{stack.origin}/threads/")
    threads = listed(before)
    page.get_by_label("Name", exact=True).fill("Unsaved")
    page.locator("[name=system_instructions]").fill("You are a trial.")
    attempt(page, "Hello from the form")
    expect(page.locator("#trial article[data-role=user]")).to_contain_text("Hello from the form")
    settled(page)
    expect(page.locator("#trial article[data-role=assistant]")).to_contain_text("Hello from the form")
    assert page.locator("#try-box").input_value() == ""
    assert page.evaluate("document.activeElement.id") == "try-box"
    assert page.get_by_label("Name", exact=True).input_value() == "Unsaved"

    attempt(page, "And again")
    expect(page.locator("#trial article[data-role=user]")).to_have_count(2)
    settled(page)
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#trial article")).to_have_count(0)
    attempt(page, "Anew")
    settled(page)
    expect(page.locator("#trial article[data-role=user]")).to_have_count(1)

    before.reload()
    assert listed(before) == threads
    for path in ("/", "/agents/", "/runs/"):
        before.goto(f"{stack.origin}{path}")
        expect(before.locator("main")).not_to_contain_text("Unsaved")


def test_the_trials_log_is_the_threads_own_to_the_byte(stack: Stack, person: BrowserContext) -> None:
    page = new_agent_form(person, stack)
    attempt(page, "[[script: code]]")
    settled(page)
    live = page.locator("#log").evaluate("log => log.innerHTML.trim()")
    thread = page.locator("input[name=trial]").input_value()
    other = page.context.new_page()
    other.goto(f"{stack.origin}/threads/{thread}/")
    assert other.locator("#log").evaluate("log => log.innerHTML.trim()") == live


def test_what_cannot_be_tried_says_so_and_keeps_the_conversation_and_the_text(
    stack: Stack, person: BrowserContext, watch: Watch
) -> None:
    watch.expected = ["422"]
    page = new_agent_form(person, stack)
    attempt(page, "First")
    settled(page)
    page.get_by_text(re.compile("^Advanced")).click()
    page.locator("[name=temperature]").fill("9")
    attempt(page, "Second")
    expect(page.locator("#try-msg")).to_contain_text("Temperature")
    expect(page.locator("#trial article[data-role=user]")).to_have_count(1)
    assert page.locator("#try-box").input_value() == "Second"
    page.locator("#try-msg a").click()
    assert page.evaluate("document.activeElement.name") == "temperature"


def test_on_a_phone_the_trial_is_a_second_tab_and_the_form_keeps_its_text(stack: Stack, person: BrowserContext) -> None:
    page = new_agent_form(person, stack)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#try")).to_be_hidden()
    page.get_by_label("Name", exact=True).fill("On the phone")
    page.get_by_role("link", name="Try it").click()
    expect(page.locator("#agent-form")).to_be_hidden()
    attempt(page, "Hello from a phone")
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Set-up").click()
    assert page.get_by_label("Name", exact=True).input_value() == "On the phone"
    expect(page.locator("#try")).to_be_hidden()


def test_a_starter_fills_the_form_and_asks_before_it_replaces_what_was_written(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_agent_form(person, stack)
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.get_by_role("link", name="Morning brief").click()
    instructions = page.locator("[name=system_instructions]")
    expect(instructions).to_have_value(re.compile("read in one minute"))
    expect(page.get_by_label("Name", exact=True)).to_have_value("Morning brief")
    expect(page.locator("[name=tools][value=current_time]")).to_be_checked()
    expect(page.locator("[data-words=id_system_instructions]")).to_have_text(re.compile(r"^\d\d words$"))
    page.get_by_role("link", name="Watcher").click()
    expect(instructions).to_have_value(re.compile("report only changes"))
    assert asked == []
    instructions.fill("My own words")
    expect(page.locator("[data-words=id_system_instructions]")).to_have_text("3 words")
    page.get_by_role("link", name="Blank").click()
    expect(page.locator(".htmx-request")).to_have_count(0)
    assert len(asked) == 1
    expect(instructions).to_have_value("My own words")


def test_fact_51_and_53_a_field_is_checked_without_touching_the_input_or_the_focus(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_agent_form(person, stack)
    page.get_by_text(re.compile("^Advanced")).click()
    box = page.locator("[name=temperature]")
    box.evaluate("input => { window.same = input; }")
    box.fill("9")
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.name")
    message = page.locator(".field", has=box).locator(".msg")
    expect(message).to_contain_text("less than or equal to 2")
    assert page.evaluate("document.activeElement.name") == focused == "config"
    assert box.evaluate("input => input === window.same && input.value === '9'")
    expect(box).to_have_attribute("aria-invalid", "true")
    box.fill("1")
    page.keyboard.press("Tab")
    expect(message).to_be_empty()
    expect(box).to_have_attribute("aria-invalid", "false")
    model = page.locator("[name=model]")
    model.fill("fake-small")
    page.keyboard.press("Tab")
    expect(page.locator(".field", has=model).locator(".msg")).to_contain_text("fake-small at ")


def test_a_refused_form_says_why_above_with_the_focus_and_leads_to_the_field(
    stack: Stack, person: BrowserContext, watch: Watch
) -> None:
    watch.expected = ["422"]
    page = new_agent_form(person, stack)
    page.get_by_label("Name", exact=True).fill("Refused")
    page.locator("[name=system_instructions]").fill("Typed for an hour.")
    page.locator("input[name=schedule]").fill("0 0 31 2 *")
    expect(page.locator("#preview")).to_contain_text(re.compile("never", re.I))
    page.get_by_role("button", name="Save agent").click()
    summary = page.locator(".error-summary")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Schedule").click()
    expect(page.locator("input[name=schedule]")).to_be_focused()
    assert page.locator("[name=system_instructions]").input_value() == "Typed for an hour."


@pytest.fixture
def agent(stack: Stack, person: BrowserContext) -> str:
    """The address of an agent with two versions."""
    page = new_agent_form(person, stack)
    page.get_by_label("Name", exact=True).fill("Changeling")
    page.locator("[name=system_instructions]").fill("You like cats.\nYou are brief.")
    page.get_by_role("button", name="Save agent").click()
    page.wait_for_url(re.compile(r"/agents/\d+/$"))
    address = page.url
    page.goto(f"{address}edit/")
    page.locator("[name=system_instructions]").fill("You like dogs.\nYou are brief.")
    page.get_by_role("button", name="Save agent").click()
    page.wait_for_url(address)
    page.close()
    return address


def test_versions_are_compared_word_by_word_and_one_goes_back_to_an_earlier(
    stack: Stack, person: BrowserContext, agent: str
) -> None:
    page = person.new_page()
    page.goto(f"{agent}edit/")
    page.get_by_role("link", name="Versions (2)").click()
    page.get_by_role("link", name="Version 2").click()
    expect(page.locator("del")).to_have_text("cats.")
    expect(page.locator("ins")).to_have_text("dogs.")
    page.go_back()
    page.get_by_role("link", name="Version 1", exact=True).click()
    page.get_by_label("Compare with").select_option(label="Version 2")
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/versions/1/\?with=2$"))
    expect(page.locator("ins")).to_have_text("cats.")
    page.get_by_role("button", name="Go back to this version").click()
    expect(page.locator(".rows li").first).to_contain_text("as in version 1")
    page.goto(f"{agent}edit/")
    expect(page.locator("[name=system_instructions]")).to_have_value("You like cats.\nYou are brief.")
