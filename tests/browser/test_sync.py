"""All pages of a thread end the same, to the byte: reloaded, cut off, without sockets, side by side, put back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from tests.browser.conftest import Watch
from tests.browser.pages import (
    connected,
    fresh_log_html,
    last_answer,
    log_html,
    new_thread,
    say,
    settled,
    show_the_same,
)
from tests.flows.stack import Stack

CUTS = 20


def also(page: Page, context: BrowserContext) -> Page:
    """The same thread in one more tab."""
    other = context.new_page()
    other.goto(page.url)
    connected(other)
    return other


def test_fact_28_a_reload_in_mid_stream_shows_all_so_far_within_a_second_and_goes_on(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=200 rate=40 paragraph=25]]")
    expect(last_answer(page)).to_contain_text("w60 ")
    seen = last_answer(page).locator(".prose").all_inner_texts()
    page.reload(wait_until="commit")
    began = time.monotonic()
    expect(last_answer(page)).to_contain_text(seen[0].split("\n")[0])
    last = "".join(seen).split()[-2]
    expect(last_answer(page)).to_contain_text(f"{last} ")
    print(f"\n  all so far after {time.monotonic() - began:.2f} s")
    words = "".join(settled(page).locator(".prose").all_inner_texts()).split()
    assert words == [f"w{number}" for number in range(200)]
    assert log_html(page) == fresh_log_html(page)


class Cutter:
    """Lets a page's sockets live for a random number of frames, and cuts them: what was on its way is lost."""

    def __init__(self, seed: int, most: int) -> None:
        self._chance = random.Random(seed)
        self._left = most
        self.cuts = 0

    def route(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        frames = self._chance.randrange(1, 10)

        def pass_on(data: str | bytes) -> None:
            nonlocal frames
            frames -= 1
            if frames < 0 and self._left > 0:
                if frames == -1:
                    self._left -= 1
                    self.cuts += 1
                    socket.close(code=4000, reason="cut")
                    server.close()
                return
            socket.send(data)

        server.on_message(pass_on)


def test_fact_29_twenty_cuts_in_one_answer_leave_the_page_as_if_nothing_had_been(
    stack: Stack, person: BrowserContext, contexts: Callable[..., BrowserContext]
) -> None:
    undisturbed = new_thread(person, stack)
    context = contexts()
    context.add_cookies(person.cookies())  # type: ignore[arg-type]
    cutter = Cutter(seed=29, most=CUTS)
    page = context.new_page()
    page.route_web_socket("**/live", cutter.route)
    page.goto(undisturbed.url)
    say(undisturbed, "[[script: long n=900 rate=35 paragraph=40]]")
    for shown in (undisturbed, page):
        settled(shown, 60)
    assert cutter.cuts == CUTS
    connected(page)
    show_the_same(undisturbed, page)


def test_fact_30_without_sockets_the_text_grows_in_steps_and_ends_the_same(
    stack: Stack, person: BrowserContext, contexts: Callable[..., BrowserContext], watch: Watch
) -> None:
    watch.expected = ["WebSocket"]
    undisturbed = new_thread(person, stack)
    context = contexts()
    context.add_cookies(person.cookies())  # type: ignore[arg-type]
    page = context.new_page()
    page.route_web_socket("**/live", lambda socket: socket.close(code=4000, reason="blocked"))
    page.goto(undisturbed.url)
    page.evaluate(
        """() => {
          window.steps = [];
          new MutationObserver(() => window.steps.push(performance.now())).observe(
            document.getElementById("log"), { childList: true, subtree: true, characterData: true });
        }"""
    )
    say(undisturbed, "[[script: long n=500 rate=30 paragraph=40]]")
    settled(page, 60)
    steps: list[float] = page.evaluate("window.steps")
    pauses = [later - earlier for earlier, later in pairwise(steps)]
    assert max(pauses) <= 5000
    assert len([pause for pause in pauses if pause > 1000]) >= 2, "the text came in steps, while it was written"
    show_the_same(undisturbed, page)
    say(page, "and I can write, too")
    expect(last_answer(page)).to_contain_text("You said: and I can write, too")


@pytest.mark.alone
def test_fact_31_three_tabs_show_the_same_and_a_message_comes_to_the_others_at_once(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    tab, phone = also(page, person), also(page, person)
    phone.set_viewport_size({"width": 390, "height": 844})
    for other in (tab, phone):
        other.evaluate(
            """() => { window.came = []; new MutationObserver(() => {
              const count = document.querySelectorAll("#log article[data-role=user]").length;
              if (count > window.came.length) window.came.push(Date.now());
            }).observe(document.getElementById("log"), { childList: true }); }"""
        )
    page.evaluate(
        """() => { window.sent = [];
          const press = ({ key }) => { if (key === "Enter") window.sent.push(Date.now()); };
          document.addEventListener("keydown", press, true);
        }"""
    )
    for number in range(3):
        say(page, f"[[script: code rate=60]] {number}")
        for shown in (page, tab, phone):
            expect(shown.locator("#log article[data-role=user]")).to_have_count(number + 1)
            settled(shown)
    sent = page.evaluate("window.sent")
    came = [other.evaluate("window.came") for other in (tab, phone)]
    took = [max(there) - begun for begun, *there in zip(sent, *came, strict=True)]
    print(f"\n  in both others after {took} ms")
    # The best of three: what else this machine does meanwhile is not what the way costs.
    assert min(took) <= 500
    show_the_same(page, tab, phone)


def test_fact_32_after_a_restore_open_tabs_begin_anew_and_end_the_same(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "the first")
    settled(page)
    other = also(page, person)
    epoch = page.locator("#log").get_attribute("data-epoch")
    thread = page.url.rstrip("/").rpartition("/")[2]
    rows = stack.rows(f"SELECT version FROM agent_threads WHERE id = {thread}")
    # What stands on the pages now never happened: the database is put back to before the answer.
    stack.database.write(f"UPDATE thread_messages SET content = 'restored', html = '' WHERE thread_id = {thread}")
    stack.manage("restored")
    for shown in (page, other):
        expect(last_answer(shown)).to_contain_text("restored", timeout=20_000)
        assert shown.locator("#log").get_attribute("data-epoch") != epoch
        connected(shown)
    assert log_html(page) == log_html(other) == fresh_log_html(page)
    stack.database.write(f"UPDATE agent_threads SET version = {rows[0][0] - 1} WHERE id = {thread}")
    stack.database.write(f"UPDATE thread_messages SET content = 'once more' WHERE thread_id = {thread}")
    for shown in (page, other):
        expect(last_answer(shown)).to_contain_text("once more", timeout=20_000)
        connected(shown)
    say(page, "and on")
    for shown in (page, other):
        expect(last_answer(shown)).to_contain_text("You said: and on")
        settled(shown)
    assert log_html(page) == log_html(other) == fresh_log_html(page)
