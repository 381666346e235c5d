"""How a thread is read: the window on a long one, the place that never moves by itself, what counts as read."""

from __future__ import annotations

import re
from functools import partial

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.measuring import quickest
from tests.browser.pages import connected, last_answer, new_thread, say, settled
from tests.flows.parts import wait_until
from tests.flows.stack import Stack

ARTICLES = "#log > article"
WATCH = """() => {
    window.seen = { keys: [], tasks: [], shift: 0 };
    addEventListener("keydown", (event) => {
        const pressed = event.timeStamp;
        requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => seen.keys.push(performance.now() - pressed);
            port2.postMessage(0); });
    }, { capture: true });
    new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map((task) => task.duration)))
        .observe({ type: "longtask" });
    new PerformanceObserver((list) => {
        for (const shift of list.getEntries()) if (!shift.hadRecentInput) seen.shift += shift.value;
    }).observe({ type: "layout-shift" });
}"""

WATCH_SWAPS = """() => {
    window.moves = [];
    const topOf = (it) => it.getBoundingClientRect().top;
    let first, was, began;
    document.addEventListener("htmx:beforeSwap", (event) => {
        if (event.detail.target.id !== "older") return;
        const edge = topOf(document.getElementById("scroller"));
        const all = [...document.querySelectorAll("#log > article")];
        first = all.find((it) => it.getBoundingClientRect().bottom > edge);
        was = topOf(first);
        began = performance.now();
    }, { capture: true });
    document.addEventListener("htmx:afterSwap", (event) => {
        if (event.detail.target.id !== "older" || !first) return;  // it comes for each article
        window.script = performance.now() - began;
        const it = first, before = was;
        first = null;
        setTimeout(() => requestAnimationFrame(() => moves.push(Math.abs(topOf(it) - before))), 100);
    });
}"""


@pytest.fixture(scope="module")
def threads(stack: Stack) -> dict[int, str]:
    """The addresses of sample threads by their number of messages."""
    found = {}
    for length in (50, 300, 10_000):
        stack.manage("seed", "--agents", "1", "--threads", "1", "--messages", str(length))
        ((thread,),) = stack.rows(f"SELECT max(id) FROM agent_threads WHERE last_seq = {length}")
        found[length] = f"{stack.origin}/threads/{thread}/"
    return found


def count(page: Page) -> int:
    return page.locator(ARTICLES).count()


def top_of(page: Page, article: Locator) -> float:
    """Pixels from the scroller's top edge to the article's."""
    found: float = article.evaluate(
        "(it) => it.getBoundingClientRect().top - document.getElementById('scroller').getBoundingClientRect().top"
    )
    return found


def scroll_top(page: Page) -> float:
    found: float = page.locator("#scroller").evaluate("(it) => it.scrollTop")
    return found


def load_earlier(page: Page, times: int) -> None:
    """Scrolls up, and waits for what comes."""
    for _ in range(times):
        first = page.locator(ARTICLES).first.get_attribute("id")
        page.locator("#scroller").evaluate("(it) => it.scrollTo(0, 0)")
        expect(page.locator(ARTICLES).first).not_to_have_id(first or "")


def opened(page: Page, address: str) -> float:
    """Milliseconds of one load of a thread's page."""
    page.goto(address, wait_until="load")
    assert count(page) <= 60
    took: float = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    return took


@pytest.mark.alone
def test_fact_3_a_long_thread_opens_as_quickly_as_a_short_one(person: BrowserContext, threads: dict[int, str]) -> None:
    page = person.new_page()

    def both() -> dict[str, float]:
        return {name: opened(page, threads[length]) for name, length in (("short", 50), ("long", 10_000))}

    def is_enough(times: dict[str, float]) -> bool:
        return times["long"] <= 1.2 * times["short"]

    times = quickest(both, is_enough)
    print(f"\nfact 3: 50 messages {times['short']:.0f} ms, 10,000 messages {times['long']:.0f} ms")
    assert is_enough(times)
    connected(page)
    expect(page.locator("#older")).to_have_count(1)
    expect(page.locator("#newer")).to_have_count(0)


def test_fact_4_scrolling_up_through_a_thousand_messages_keeps_300_at_most(
    person: BrowserContext, threads: dict[int, str]
) -> None:
    page = person.new_page()
    page.goto(threads[10_000])
    connected(page)
    page.evaluate("""() => { window.most = 0; new MutationObserver(() => {
        window.most = Math.max(window.most, document.querySelectorAll("#log > article").length);
    }).observe(document.getElementById("log"), { childList: true }); }""")
    load_earlier(page, 20)
    assert page.evaluate("window.most") <= 300
    seqs = [int(seq) for seq in page.locator(ARTICLES).evaluate_all("all => all.map((it) => it.dataset.seq)")]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert seqs[0] <= 9000
    expect(page.locator("#jump")).to_have_text(re.compile("Back to now"))
    # And down again: what went comes back, in order.
    for _ in range(3):
        last = page.locator(ARTICLES).last.get_attribute("id")
        page.locator("#scroller").evaluate("(it) => it.scrollTo(0, it.scrollHeight)")
        expect(page.locator(ARTICLES).last).not_to_have_id(last or "")
    seqs = [int(seq) for seq in page.locator(ARTICLES).evaluate_all("all => all.map((it) => it.dataset.seq)")]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert page.evaluate("window.most") <= 300
    page.locator("#jump").click()
    expect(page.locator(ARTICLES).last).to_have_attribute("data-seq", "10000")
    expect(page.locator("#jump")).to_be_hidden()


def more_than(page: Page, number: int) -> bool:
    return bool(page.evaluate("moves.length") > number)


@pytest.mark.alone
def test_fact_5_earlier_messages_move_nothing_and_block_nothing(
    person: BrowserContext, threads: dict[int, str]
) -> None:
    page = person.new_page()
    page.goto(threads[10_000])
    connected(page)
    page.evaluate(WATCH_SWAPS)
    scripts = []
    for number in range(8):
        load_earlier(page, 1)
        wait_until(partial(more_than, page, number), "the frames after it are drawn")
        scripts.append(page.evaluate("window.script"))
    print(f"\nfact 5: moved {page.evaluate('window.moves')} px, script {[round(each, 1) for each in scripts]} ms")
    assert max(page.evaluate("window.moves")) <= 1
    assert min(scripts) <= 20


def typing(page: Page) -> tuple[float, float, float, int]:
    """Types for some seconds: milliseconds from keys to frames (p50, p95, p99), and how many tasks took over 50 ms."""
    page.evaluate("Object.assign(seen, { keys: [], tasks: [] })")
    page.locator("#box").press_sequentially("a person goes on writing, and on, and on", delay=80)
    seen = page.evaluate("window.seen")
    keys = sorted(seen["keys"])
    assert len(keys) >= 38
    p50, p95, p99 = (round(keys[int(len(keys) * part)], 1) for part in (0.5, 0.95, 0.99))
    return p50, p95, p99, len(seen["tasks"])


@pytest.mark.alone
def test_fact_6_keys_are_drawn_at_once_while_an_answer_streams_into_300_messages(
    person: BrowserContext, threads: dict[int, str]
) -> None:
    page = person.new_page()
    page.goto(threads[300])
    connected(page)
    load_earlier(page, 5)
    assert count(page) == 300
    page.keyboard.press("End")
    say(page, "[[script: long n=5000 rate=100 paragraph=40]]")
    expect(last_answer(page)).to_contain_text("w30 ")
    page.evaluate(WATCH)
    stretches = [typing(page) for _ in range(3)]
    assert page.locator("#stop").count() == 1, "it was streaming all the time"
    print("\nfact 6: p50, p95, p99 of keys to frames in ms, and long tasks:", stretches)
    # What else goes on in the machine only ever adds: the best of three stretches tells what the page does.
    _, p95, p99, tasks = min(stretches, key=lambda stretch: stretch[1])
    assert p95 <= 50
    assert p99 <= 120
    assert tasks <= 3
    assert count(page) <= 300
    page.get_by_role("button", name="Stop").click()
    settled(page)


HIDDEN_SECONDS = 10
SET_HIDDEN = """(hidden) => {
    const state = hidden ? "hidden" : "visible";
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
"""A browser without a screen knows which of its tabs has the focus, and calls all of them visible."""


@pytest.mark.alone
def test_fact_60_a_hidden_tab_reads_nothing_and_one_with_the_focus_and_the_end_in_view_reads_within_two_seconds(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    thread = page.url.rstrip("/").rpartition("/")[2]
    session = person.new_cdp_session(page)
    session.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
    reads: list[str] = []
    page.on("request", lambda request: reads.append(request.url) if request.url.endswith("/read/") else None)
    say(page, "[[script: long n=60 rate=20]]")
    expect(last_answer(page)).to_contain_text("w3 ")
    other = person.new_page()
    other.bring_to_front()
    page.evaluate(SET_HIDDEN, True)
    assert not page.evaluate("document.hasFocus()")
    settled(page)
    page.evaluate("document.getElementById('scroller').scrollTo(0, 1e6)")
    seen = len(reads)
    page.wait_for_timeout(HIDDEN_SECONDS * 1000)
    assert reads[seen:] == []
    unread = f"SELECT count(*) FROM thread_messages WHERE thread_id = {thread} AND role = 'assistant' AND seq > " + (
        f"coalesce((SELECT max(seq) FROM thread_reads WHERE thread_id = {thread}), 0)"
    )
    assert stack.rows(unread)[0][0] == 1

    with page.expect_response(re.compile(rf"/threads/{thread}/read/"), timeout=2000):
        page.evaluate(SET_HIDDEN, False)
        page.bring_to_front()
    wait_until(lambda: stack.rows(unread)[0][0] == 0, "the answer counts as read")
