"""Where the reader is while an answer is written: pinned to the question, or following the end, and never moved."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.measuring import are_within
from tests.browser.pages import ANSWER, ask, connected, last_answer, new_thread, say, settled
from tests.flows.stack import Stack

PINNED, FOLLOW = "The page stands still", "The page follows the end"
# After each frame, when everything of it has been laid out: where the scroller is, and how far the end of it.
WATCH_FRAMES = """() => {
    const scroller = document.getElementById("scroller");
    window.frames_seen = [];
    const note = () => frames_seen.push({
        top: scroller.scrollTop,
        distance: scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight,
        question: [...document.querySelectorAll("#log > [data-role=user]")].at(-1).getBoundingClientRect().top
            - scroller.getBoundingClientRect().top,
    });
    const look = () => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => { note(); look(); };
        port2.postMessage(0);
    });
    look();
}"""
QUESTION = "#log > article[data-role=user]"
WATCH_SHIFTS = """() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const shift of list.getEntries()) if (!shift.hadRecentInput) shifts.push(shift.value);
    }).observe({ type: "layout-shift" });
}"""


@contextmanager
def reading(stack: Stack, person: BrowserContext, mode: str) -> Iterator[None]:
    """While it lasts, the person's threads are read in this mode."""
    choose(stack, person, mode)
    try:
        yield
    finally:
        choose(stack, person, PINNED)


def choose(stack: Stack, person: BrowserContext, mode: str) -> None:
    page = person.new_page()
    page.goto(f"{stack.origin}/settings/profile/")
    page.get_by_label(mode).check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.close()


def frames(page: Page) -> list[dict[str, float]]:
    """What was seen since the last time."""
    found: list[dict[str, float]] = page.evaluate("frames_seen.splice(0)")
    return found


def after(page: Page, number: int) -> list[dict[str, float]]:
    """What is seen in at least so many frames from now on."""
    frames(page)
    page.wait_for_function("(number) => frames_seen.length >= number", arg=number)
    return frames(page)


def scroll_top(page: Page) -> float:
    found: float = page.locator("#scroller").evaluate("(it) => it.scrollTop")
    return found


def top_in_scroller(page: Page, selector: str) -> float:
    """Pixels from the top of what is scrolled to the top of the last element of this kind."""
    found: float = page.locator(selector).last.evaluate(
        "(it) => it.getBoundingClientRect().top - document.getElementById('scroller').getBoundingClientRect().top"
    )
    return found


@pytest.mark.parametrize("mode", [PINNED, FOLLOW])
def test_fact_07_nothing_shifts_while_an_answer_streams_into_300_messages(
    stack: Stack, person: BrowserContext, mode: str
) -> None:
    stack.manage("seed", "--agents", "1", "--threads", "1", "--messages", "300")
    ((thread,),) = stack.rows("SELECT max(id) FROM agent_threads WHERE last_seq = 300")
    with reading(stack, person, mode):
        page = person.new_page()
        page.goto(f"{stack.origin}/threads/{thread}/")
        connected(page)
        say(page, "[[script: long n=1100 rate=100 paragraph=40]]")
        expect(last_answer(page)).to_contain_text("w20 ")
        page.evaluate(WATCH_SHIFTS)
        expect(last_answer(page)).to_contain_text("w1020 ")
        shifted: list[float] = page.evaluate("shifts")
        settled(page)
    assert sum(shifted) <= 0.01


@pytest.mark.alone
def test_fact_10_pasting_20000_lines_takes_less_than_half_a_second(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    person.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('line of log\\n'.repeat(20000))")

    def paste() -> dict[str, float]:
        page.locator("#box").evaluate(
            "(box) => { box.value = ''; box.dispatchEvent(new Event('input')); box.focus(); }"
        )
        page.evaluate(
            """() => document.getElementById("box").addEventListener("paste", () => {
                const began = performance.now();
                requestAnimationFrame(() => setTimeout(() => { window.pasted = performance.now() - began; }));
            }, { once: true })"""
        )
        page.keyboard.press("Control+v")
        page.wait_for_function("() => window.pasted !== undefined")
        assert page.locator("#box").evaluate("(box) => box.value.split('\\n').length") == 20001
        return {"pasted": page.evaluate("const ms = window.pasted; window.pasted = undefined; ms")}

    print("\nfact 10:", are_within(paste, {"pasted": 500.0}))


def test_fact_20_the_question_stays_at_the_top_and_nothing_scrolls_by_itself(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    for number in range(3):
        ask(page, f"[[script: long n=60 rate=0]] {number}")
    say(page, "[[script: long n=500 rate=100 paragraph=40]]")
    expect(page.locator(ANSWER)).to_have_count(4)
    expect(last_answer(page)).to_contain_text("w5 ")
    page.evaluate(WATCH_FRAMES)
    assert abs(top_in_scroller(page, QUESTION)) <= 24
    expect(last_answer(page)).to_contain_text("w60 ")
    # Meanwhile the answer above has lost its Retry: it is the last no more.
    top = scroll_top(page)
    begun = frames(page)
    settled(page)
    seen = frames(page) + after(page, 60)
    assert top > 0
    assert len(seen) >= 60
    assert {frame["top"] for frame in seen} == {top}
    questions = [frame["question"] for frame in begun + seen]
    assert max(questions) - min(questions) <= 1
    assert max(questions) <= 24


def test_fact_21_who_follows_sees_the_end_in_each_frame(stack: Stack, person: BrowserContext) -> None:
    with reading(stack, person, FOLLOW):
        page = new_thread(person, stack)
        say(page, "[[script: long n=900 rate=100 paragraph=40]]")
        expect(last_answer(page)).to_contain_text("w200 ")
        page.evaluate(WATCH_FRAMES)
        low = page.locator("#composer").bounding_box()
        for number in range(6):
            page.locator("#box").press_sequentially(f"line {number}", delay=20)
            page.locator("#box").press("Shift+Enter")
        high = page.locator("#composer").bounding_box()
        assert low
        assert high
        assert high["height"] >= low["height"] + 5 * 20, "the composer has grown by six lines"
        expect(last_answer(page)).to_contain_text("w700 ")
        settled(page)
        seen = frames(page) + after(page, 20)
    assert len(seen) > 100
    assert max(frame["distance"] for frame in seen) <= 2
    assert len({frame["top"] for frame in seen}) > 10, "the end has moved"


def test_fact_22_one_step_up_ends_following_and_nothing_moves_any_more(stack: Stack, person: BrowserContext) -> None:
    with reading(stack, person, FOLLOW):
        page = new_thread(person, stack)
        say(page, "[[script: long n=1500 rate=100 paragraph=40]]")
        expect(last_answer(page)).to_contain_text("w500 ")
        middle = page.locator("#scroller").bounding_box()
        assert middle
        x, y = middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2
        page.mouse.move(x, y)
        page.mouse.wheel(0, -100)
        expect(page.locator("#jump")).to_be_visible()
        page.wait_for_function(STOOD_STILL)
        page.evaluate(WATCH_FRAMES)
        page.evaluate("([x, y]) => { window.under = document.elementFromPoint(x, y).closest('.prose > *'); }", [x, y])
        where = "() => under.getBoundingClientRect().top"
        began = page.evaluate(where)
        words = words_so_far(page)
        seen = after(page, 180)  # three seconds
        assert words_so_far(page) > words + 100
        assert page.evaluate(where) == began
        assert len({frame["top"] for frame in seen}) == 1
        page.get_by_role("button", name="Stop").click()
        settled(page)


def words_so_far(page: Page) -> int:
    return len(last_answer(page).inner_text().split())


def test_fact_23_the_pill_counts_lines_and_leads_to_the_end_and_an_answer_s_end_moves_nothing(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    jump = page.locator("#jump")
    ways: list[Callable[[], object]] = [jump.click, lambda: page.locator("#scroller").press("End")]
    for answers, go in enumerate(ways):
        say(page, "[[script: long n=900 rate=150 paragraph=40]]")
        expect(page.locator(ANSWER)).to_have_count(answers + 1)
        expect(jump).to_have_text(re.compile(r"[1-9]\d* new lines"), timeout=30_000)
        said, unseen = last_answer(page).evaluate(SAID_AND_UNSEEN)
        assert abs(said - unseen) <= 1
        go()
        expect(jump).to_be_hidden()
        page.evaluate(WATCH_FRAMES)
        assert max(frame["distance"] for frame in after(page, 30)) <= 2
        # Up again: that the answer ends does not move what is read.
        page.locator("#scroller").hover()
        page.mouse.wheel(0, -300)
        expect(jump).to_be_visible()
        page.wait_for_function(STOOD_STILL)
        top = scroll_top(page)
        frames(page)
        settled(page)
        assert {frame["top"] for frame in frames(page) + after(page, 30)} == {top}


STOOD_STILL = """() => new Promise((done) => {
    const scroller = document.getElementById("scroller"), was = scroller.scrollTop;
    setTimeout(() => done(scroller.scrollTop === was), 200);
})"""


# The pill's number, and the lines of the last answer below the view, counted from its text's own lines.
SAID_AND_UNSEEN = """(answer) => {
    const edge = document.getElementById("scroller").getBoundingClientRect().bottom;
    const range = document.createRange();
    range.selectNodeContents(answer.querySelector(".prose"));
    const end = Math.max(...[...range.getClientRects()].map((line) => line.bottom));
    return [parseInt(document.getElementById("jump").innerText.match(/\\d+/)[0]), (end - edge) / 24];
}"""
