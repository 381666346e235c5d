"""What a person is told who looked elsewhere: in every tab's title, in the inbox, by the browser, on the home page."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.pages import connected
from tests.browser.second import Second
from tests.flows.stack import Stack

SOON = 40_000
"""Milliseconds. Tabs ask for news every ten seconds, and what has just happened waits for five."""

RECORD = """
if (globalThis.ServiceWorkerRegistration) {
const show = ServiceWorkerRegistration.prototype.showNotification;
ServiceWorkerRegistration.prototype.showNotification = function (title, options) {
    const told = JSON.parse(localStorage.getItem("told-here") ?? "[]");
    localStorage.setItem("told-here", JSON.stringify([...told, [title, options.body, options.data]]));
    return show.call(this, title, options);
};
}
"""
"""Writes down what the browser is made to tell, and has it told."""


@pytest.fixture
def second(contexts: Callable[..., BrowserContext], stack: Stack) -> Second:
    """Somebody whose inbox is empty."""
    person = Second(contexts(), stack)
    empty_inbox(person)
    return person


def empty_inbox(person: Second) -> None:
    page = person.context.new_page()
    page.goto(f"{person.stack.origin}/inbox/")
    if page.get_by_role("button", name="Mark all as done").count():
        page.get_by_role("button", name="Mark all as done").click()
        expect(page.get_by_role("button", name="Mark all as done")).to_have_count(0)
    page.close()


def failing(person: Second, name: str) -> int:
    """The id of a thread in which the key was refused."""
    thread = person.thread(person.agent(name), f"{name} goes wrong")
    ended(person, person.say(thread, "[[script: 401]]"))
    return thread


def ended(person: Second, run: int) -> None:
    page = person.context.new_page()
    page.goto(f"{person.stack.origin}/runs/{run}/")
    expect(page.locator("h1 + .pill")).to_have_text(re.compile("Done|Failed"), timeout=20_000)
    page.close()


def long_run(person: Second, thread: int) -> None:
    """A run that has taken more than half a minute ends well: it has waited in the middle, for its turn."""
    first = person.say(thread, "[[script: hang after=2]]")
    run = person.say(thread, "Hello again")
    code = (
        "from datetime import timedelta; from django.utils import timezone; from runs.models import Run; "
        f"Run.objects.filter(pk={run}).update(started_at=timezone.now() - timedelta(seconds=40), trigger='chat')"
    )
    person.stack.manage("shell", "--no-imports", "-v", "0", "-c", code)
    person.post(f"/api/runs/{first}/cancel")
    ended(person, run)


def told(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate("JSON.parse(localStorage.getItem('told-here') ?? '[]')")
    return found


def test_fact_60_three_open_tabs_raise_one_notice(second: Second, stack: Stack) -> None:
    second.context.grant_permissions(["notifications"], origin=stack.origin)
    second.context.add_init_script(RECORD)
    tabs = []
    for path in ("/threads/", "/runs/", "/settings/profile/"):
        tabs.append(second.context.new_page())
        tabs[-1].goto(f"{stack.origin}{path}")
    assert tabs[0].evaluate("Notification.permission") == "granted"
    thread = failing(second, "Watchdog")
    for tab in tabs:
        expect(tab).to_have_title(re.compile("^◆ Needs you · "), timeout=SOON)
        expect(tab.locator(".rail-nav [data-inbox]")).to_have_text("1")
        expect(tab.locator("#icon")).to_have_attribute("href", re.compile("favicon-dot"))
    tabs[0].wait_for_function("() => localStorage.getItem('told-here')", timeout=SOON)
    assert [(title, url) for title, _, url in told(tabs[0])] == [("Watchdog needs you", f"/threads/{thread}/")]
    tabs[0].close()  # it was the one that told; another one takes over
    failing(second, "Scout")
    tabs[1].wait_for_function("() => JSON.parse(localStorage.getItem('told-here')).length > 1", timeout=SOON)
    expect(tabs[2].locator(".rail-nav [data-inbox]")).to_have_text("2", timeout=SOON)
    assert [title for title, _, _ in told(tabs[1])] == ["Watchdog needs you", "Scout needs you"]


def test_fact_60_who_sees_how_it_ends_is_not_told(second: Second, stack: Stack) -> None:
    second.context.grant_permissions(["notifications"], origin=stack.origin)
    second.context.add_init_script(RECORD)
    thread = second.thread(second.agent("Patient"), "Something long")
    page = second.context.new_page()
    page.goto(f"{stack.origin}/threads/{thread}/")
    connected(page)
    page.bring_to_front()
    with page.expect_response(re.compile(rf"/threads/{thread}/read/"), timeout=SOON):
        long_run(second, thread)
        page.bring_to_front()
    page.goto(f"{stack.origin}/inbox/")
    expect(page.locator("main")).not_to_contain_text("Patient")
    assert told(page) == []


def test_who_looked_elsewhere_is_told_and_then_offered_to_be_told_by_the_browser(
    contexts: Callable[..., BrowserContext], stack: Stack
) -> None:
    second = Second(contexts(), stack)
    empty_inbox(second)
    page = second.context.new_page()
    session = second.context.new_cdp_session(page)
    browser_asks = {"permission": {"name": "notifications"}, "setting": "prompt", "origin": stack.origin}
    session.send("Browser.setPermission", browser_asks)
    page.goto(f"{stack.origin}/runs/")
    assert page.evaluate("Notification.permission") == "default", "nothing is asked on load"
    expect(page.locator("#offer")).to_have_count(0)
    thread = second.thread(second.agent("Slowcoach"), "Something longer")
    long_run(second, thread)
    expect(page).to_have_title("(1) Runs · Zerg", timeout=SOON)
    expect(page.locator("#offer")).to_be_visible()
    page.locator("#offer").get_by_role("button", name="No").click()
    page.goto(f"{stack.origin}/inbox/")
    expect(page.locator("main .rows > li").first).to_contain_text(re.compile(r"Slowcoach It took 4\d s"))
    page.get_by_role("link", name="Something longer").first.click()
    connected(page)
    with page.expect_response(re.compile(rf"/threads/{thread}/read/")):
        pass
    page.goto(f"{stack.origin}/inbox/")
    expect(page).to_have_title("Inbox · Zerg")
    expect(page.locator("main .rows > li").first).to_contain_text("Slowcoach")


def test_the_home_page_says_what_needs_somebody_and_what_they_do_about_it(second: Second, stack: Stack) -> None:
    page = second.context.new_page()
    page.goto(f"{stack.origin}/")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("All quiet|No agents yet"))
    thread = failing(second, "Invoices")
    expect(page.get_by_role("heading", level=1)).to_have_text("One thing needs you")
    row = page.locator("main .rows > li")
    expect(row).to_contain_text("Invoices")
    expect(row.get_by_role("link", name="Fix the key")).to_have_attribute("href", "/settings/models/fix/")
    expect(page.locator("article.card").first).to_contain_text("Needs you")
    second.say(thread, "[[script: long n=50 rate=5]]")
    expect(page.get_by_role("heading", name="Working now")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Invoices goes wrong")
    # It goes well again: nothing is left to do.
    expect(page.get_by_role("heading", level=1)).to_have_text("All quiet", timeout=40_000)
    expect(row).to_have_count(0)


def test_the_inbox_is_done_with_without_javascript(contexts: Callable[..., BrowserContext], stack: Stack) -> None:
    with_script = Second(contexts(), stack)
    empty_inbox(with_script)
    for name in ("First", "Next"):
        failing(with_script, name)
    page = Second(contexts(java_script_enabled=False), stack).context.new_page()
    page.goto(f"{stack.origin}/inbox/")
    expect(page).to_have_title("◆ Needs you · Inbox · Zerg")
    expect(page.locator(".rail-nav [data-inbox]")).to_have_text("2")
    page.get_by_role("button", name="Done: Next").first.click()
    expect(page.locator(".rail-nav [data-inbox]")).to_have_text("1")
    page.get_by_role("button", name="Mark all as done").click()
    expect(page).to_have_title("Inbox · Zerg")
    expect(page.locator("main")).to_contain_text("First")


def test_a_browser_is_asked_in_the_settings_and_can_be_silenced(second: Second, stack: Stack) -> None:
    second.context.grant_permissions(["notifications"], origin=stack.origin)
    page = second.context.new_page()
    page.goto(f"{stack.origin}/settings/notices/")
    here = page.locator("#this-browser")
    expect(here).to_contain_text("This browser tells you.")
    here.get_by_role("button", name="Turn off").click()
    expect(here).to_contain_text("This browser tells you nothing yet.")
    page.reload()
    here.get_by_role("button", name="Turn on").click()
    expect(here).to_contain_text("This browser tells you.")
    page.get_by_label("A run failed").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    expect(page.get_by_label("A run failed")).not_to_be_checked()
    page.get_by_label("A run failed").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Saved.")


def test_the_rail_says_on_every_page_what_works_as_long_as_it_does(second: Second, stack: Stack) -> None:
    page = second.context.new_page()
    page.goto(f"{stack.origin}/schedules/")
    work = page.locator("#rail-work")
    expect(work).to_have_text("")
    thread = second.thread(second.agent("Slow"), "A long story")
    run = second.say(thread, "[[script: hang after=5]]")
    link = work.get_by_role("link", name=re.compile("A long story"))
    expect(link).to_be_visible(timeout=SOON)
    expect(link.locator("[data-since]")).to_have_text(re.compile(r"\d+ s"))
    fresh = second.context.new_page()
    fresh.goto(f"{stack.origin}/schedules/")
    same = "box => { for (const it of box.querySelectorAll('[data-since]')) it.textContent = ''; return box.innerHTML }"
    assert work.evaluate(same) == fresh.locator("#rail-work").evaluate(same)
    fresh.set_viewport_size({"width": 390, "height": 844})
    expect(fresh.locator("#rail-work")).to_be_hidden()
    # What somebody is at with the keyboard stays under their focus until they leave it.
    link.focus()
    second.post(f"/api/runs/{run}/cancel")
    expect(fresh.locator("#rail-work")).to_have_text("", timeout=SOON)
    expect(link).to_be_focused()
    page.locator(".brand").focus()
    expect(work).to_have_text("", timeout=SOON)
