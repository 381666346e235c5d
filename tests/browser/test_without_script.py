"""With JavaScript off everything can still be done: forms, links, and a page that looks again while an agent works."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Watch, sign_in_link
from tests.flows.stack import Stack

ENDED = "article[data-role=assistant][data-status=complete]"


def test_fact_59_with_javascript_off_all_of_the_work_is_done(
    stack: Stack, contexts: Callable[..., BrowserContext]
) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(sign_in_link(stack))
    expect(page.locator(".rail")).to_be_visible()
    _make_an_agent(page, stack)
    _talk(page)
    _export(page)
    _schedule(page, stack)
    _read_a_run(page, stack)
    _change_a_key(page, stack)


def _make_an_agent(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.origin}/agents/new/")
    page.get_by_label("Name", exact=True).fill("Scriptless")
    page.locator("[name=task_instructions]").fill("Say hello.")
    page.locator("main form[method=post] .btn.primary").first.click()
    page.wait_for_url(re.compile(r"/agents/\d+/"))


def _talk(page: Page) -> None:
    page.get_by_role("button", name=re.compile("Chat")).first.click()
    page.wait_for_url(re.compile(r"/threads/\d+/$"))
    page.locator("#box").fill("[[script: long n=150 rate=20]]")
    page.locator("#send").click()
    expect(page.locator("article[data-role=user]")).to_contain_text("[[script: long")
    # The page looks again by itself until the answer is there; what is typed is not to be lost by that.
    expect(page.locator("#box")).to_be_hidden()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.locator(ENDED)).to_contain_text("w149", timeout=60_000)
    assert "#end" in page.url
    page.locator("#box").fill("[[script: long n=200 rate=20]]")
    page.locator("#send").click()
    page.get_by_role("link", name="Write meanwhile").click()
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    page.locator("#box").fill("typed while it works")
    page.locator("#send").click()
    expect(page.locator(ENDED).last).to_contain_text("You said: typed while it works", timeout=60_000)
    expect(page.locator("#box")).to_have_value("")


def _export(page: Page) -> None:
    page.locator("#t-more > summary").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save as markdown").click()
    text = saved.value.path().read_text()
    assert "## You" in text
    assert "## Scriptless" in text
    assert "w148 w149" in text


def _schedule(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.origin}/schedules/new/")
    page.locator("[name=agent]").select_option(label="Scriptless")
    page.get_by_label("In words").fill("tomorrow at 8")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview time")).to_have_count(1)
    expect(page.locator("#preview time")).to_contain_text("08:00")
    expect(page.get_by_label("In words")).to_have_value("tomorrow at 8")
    page.get_by_label("In words").fill("")
    page.locator("[name=expression]").fill("0 7 * * 1-5")
    page.locator("#schedule-form .btn.primary").click()
    page.wait_for_url(re.compile(r"/schedules/\d+/$"))
    expect(page.locator("main")).to_contain_text("Scriptless")


def _read_a_run(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.origin}/runs/")
    page.locator("main a[href^='/runs/']:not([href*='?'])").first.click()
    page.wait_for_url(re.compile(r"/runs/\d+/"))
    page.locator("main .timeline summary").first.click()
    expect(page.locator("main .timeline details[open]").first).to_be_visible()


def _change_a_key(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.origin}/settings/models/new/?preset=other")
    page.locator("[name=name]").fill("Elsewhere")
    page.locator("[name=base_url]").fill(f"{stack.model_url}/v1")
    page.locator("[name=key]").fill("sk-first-0123456789-aaaa")
    page.get_by_role("button", name="Save and test").click()
    row = page.locator("main li", has_text="Elsewhere")
    expect(row).to_contain_text("aaaa")
    row.get_by_role("link", name=re.compile("Elsewhere")).first.click()
    page.locator("[name=key]").fill("sk-second-0123456789-bbbb")
    page.get_by_role("button", name="Save and test").click()
    expect(row).to_contain_text("bbbb")
    row.get_by_role("link", name=re.compile("Remove")).click()
    page.locator("main form[method=post] button").last.click()
    expect(row).to_have_count(0)


def test_without_javascript_a_refused_message_stays_in_the_box(
    stack: Stack, contexts: Callable[..., BrowserContext], watch: Watch
) -> None:
    watch.expected = ["413"]
    page = contexts(java_script_enabled=False).new_page()
    page.goto(sign_in_link(stack))
    page.get_by_role("button", name="Chat with Assistant").click()
    text = "much too long " * 20_000
    page.locator("#box").fill(text)
    page.locator("#send").click()
    expect(page.get_by_role("alert")).to_contain_text("at most 256 fit")
    expect(page.locator("#box")).to_have_value(text)
    page.locator("#box").fill("short")
    page.locator("#send").click()
    expect(page.locator("article[data-role=user]")).to_contain_text("short")
