"""For everyone: by keyboard, by ear, on a phone, in any script."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.pages import ANSWER, connected, last_answer, new_thread, say, settled
from tests.flows.stack import Stack

Contexts = Callable[..., BrowserContext]
Cookies = list[dict[str, object]]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

# Whether what has the focus can be seen: it is drawn, marked, and not wholly under something else.
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return "nothing has the focus";
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const name = `${one.tagName}#${one.id} "${(one.textContent || one.name || "").trim().slice(0, 30)}"`;
  if (!box.width || !box.height) return `${name} has no size`;
  const ring = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const dressed = one.closest(".composer") ? getComputedStyle(one.closest(".composer")).boxShadow !== "none" : false;
  if (!ring(style) && !dressed) return `${name} shows no focus`;
  const points = [[.5, .5], [.1, .1], [.9, .9], [.1, .9], [.9, .1]].map(([x, y]) =>
    document.elementFromPoint(box.left + box.width * x, box.top + box.height * y));
  return points.some((at) => at && (one.contains(at) || at.contains(one))) ? "" : `${name} is hidden`;
}"""


def tab_to(page: Page, wanted: str, *, back: bool = False) -> None:
    """Goes on with Tab until what the selector ``wanted`` names has the focus, which must be seen at each stop."""
    for _ in range(80):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if page.evaluate("document.activeElement === document.body"):
            continue  # the browser's own bar, between the end of the page and its beginning
        assert page.evaluate(FOCUS) == ""
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"Tab never comes to {wanted}")


def test_fact_51_all_of_the_work_is_done_with_the_keyboard_alone(stack: Stack, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{stack.origin}/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "#new-agent")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/agents/new/"))
    _make_an_agent(page)
    thread = _chat_and_stop(page)
    _schedule(page, stack)
    _read_the_run(page, stack, thread)


def _make_an_agent(page: Page) -> None:
    if not page.evaluate("document.activeElement.matches('[name=name]')"):
        tab_to(page, "[name=name]")
    page.keyboard.type("Keys only")
    tab_to(page, "[name=task_instructions]")
    page.keyboard.type("Say hello to whoever reads this.")
    tab_to(page, "form[method=post] .btn.primary:not([type=button])")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/agents/\d+/"))


def _chat_and_stop(page: Page) -> str:
    tab_to(page, "main .btn.primary")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/threads/\d+/$"))
    connected(page)
    expect(page.locator("#box")).to_be_focused()
    page.keyboard.type("[[script: long n=900 rate=30]]")
    page.keyboard.press("Enter")
    expect(last_answer(page)).to_contain_text("w5 ")
    expect(page.locator("#box")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert settled(page).get_attribute("data-status") == "stopped"
    expect(page.locator("#box")).to_be_focused()
    tab_to(page, f"{ANSWER} button[formaction*=retry]", back=True)
    page.keyboard.press("Enter")
    expect(last_answer(page)).to_contain_text("w3 ")
    assert page.evaluate("document.activeElement !== document.body")
    tab_to(page, "#box")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    settled(page)
    return page.url


def _schedule(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.origin}/schedules/new/")
    tab_to(page, "[name=agent]")
    page.keyboard.type("Keys only")
    tab_to(page, "[name=expression]")
    page.keyboard.type("0 7 * * 1-5")
    expect(page.locator("#preview time")).to_have_count(5)
    expect(page.locator("[name=expression]")).to_be_focused()
    tab_to(page, "#schedule-form .btn.primary")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/schedules/(\d+/)?$"))
    expect(page.locator("main")).to_contain_text("Keys only")


def _read_the_run(page: Page, stack: Stack, thread: str) -> None:
    page.goto(f"{stack.origin}/runs/")
    tab_to(page, "main a[href^='/runs/']:not([href*='?'])")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/runs/\d+/"))
    tab_to(page, "main .timeline summary")
    page.keyboard.press("Enter")
    expect(page.locator("main .timeline details[open]").first).to_be_visible()
    assert page.evaluate(FOCUS) == ""
    tab_to(page, f"main a[href*='{thread.removeprefix(stack.origin)}']", back=True)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/threads/\d+/"))


LISTEN = """() => {
  window.heard = [];
  const listen = (id) => {
    const box = document.getElementById(id);
    if (box) new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) {
        if (node.textContent.trim()) heard.push([id, node.textContent.trim()]);
      }
    }).observe(box, { childList: true, characterData: true, subtree: true });
  };
  listen("say");
  listen("say-text");
}"""


def test_fact_52_a_reply_is_announced_by_its_bounds(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    page.evaluate(LISTEN)
    say(page, "[[script: long n=400 rate=40 paragraph=40]]")
    settled(page, 40)
    page.wait_for_function("() => heard.at(-1)[1].includes('replied')")
    assert 1 <= len(page.evaluate("heard")) <= 4
    live = "[aria-live]:not([aria-live=off]), [role=log], [role=status], [role=alert], [role=marquee], [role=timer]"
    assert page.evaluate("live => document.getElementById('log').closest(live)", live) is None
    assert page.locator("#log").locator(live).count() == 0


def test_fact_52_read_by_paragraph_says_each_block_once(stack: Stack, person: BrowserContext) -> None:
    page = person.new_page()
    _choose(page, stack, "aloud", "paragraphs")
    try:
        page = new_thread(person, stack)
        page.evaluate(LISTEN)
        say(page, "[[script: long n=120 rate=60 paragraph=20]]")
        _blocks_are_said(page, 1)
        page.evaluate("heard.length = 0")
        say(page, "[[script: code rate=60]]")
        _blocks_are_said(page, 2)
        page.reload()
        connected(page)
        page.evaluate(LISTEN)
        say(page, "short")
        _blocks_are_said(page, 3)
    finally:
        _choose(page, stack, "aloud", "bounds")


def _blocks_are_said(page: Page, answers: int) -> None:
    """What was said since ``heard`` was emptied is the last of so many answers, block by block, each once."""
    expect(page.locator(ANSWER)).to_have_count(answers)
    blocks = settled(page).locator(".prose").first.locator("> *")
    written = [
        block.locator("pre").inner_text() if block.locator("pre").count() else block.inner_text()
        for block in blocks.all()
    ]
    expect(page.locator("#say-text")).to_contain_text(written[-1].strip())
    heard = [words for box, words in page.evaluate("heard") if box == "say-text"]
    assert heard == [words.strip() for words in written]


def _choose(page: Page, stack: Stack, name: str, value: str) -> None:
    page.goto(f"{stack.origin}/settings/profile/")
    page.locator(f"input[name={name}][value={value}]").check()
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator(".toast")).to_contain_text("Saved")


def test_fact_53_focus_and_caret_stay_while_an_answer_streams_and_lists_change(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: long n=900 rate=30]]")
    expect(last_answer(page)).to_contain_text("w3 ")
    other = person.new_page()
    other.goto(page.url)
    connected(other)
    page.locator("#box").fill("half of a thought")
    page.evaluate(
        """() => {
          const box = document.getElementById("box");
          box.setSelectionRange(4, 7);
          window.lost = [];
          const look = () => {
            const now = `${document.activeElement.id} ${box.selectionStart} ${box.selectionEnd} ${box.value}`;
            if (now !== "box 4 7 half of a thought") lost.push(now);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    for number in range(1, 6):
        say(other, f"list update {number}")
        expect(page.locator("#queue .queue-row")).to_have_count(number)
    expect(page.locator(ANSWER).first).to_contain_text("w899", timeout=60_000)
    assert page.evaluate("lost") == []
    other.close()
    expect(page.locator("#queue .queue-row")).to_have_count(0, timeout=30_000)


def test_fact_54_enter_while_a_word_is_composed_sends_nothing(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    keys = page.context.new_cdp_session(page)
    page.locator("#box").focus()
    keys.send("Input.imeSetComposition", {"text": "にほ", "selectionStart": 2, "selectionEnd": 2})
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229, "nativeVirtualKeyCode": 13}
    keys.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    keys.send("Input.insertText", {"text": "日本"})
    keys.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    expect(page.locator("#box")).to_have_value("日本")
    assert page.locator("article").count() == 0
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#box")).to_have_value("日本\n")
    assert page.locator("article").count() == 0
    page.keyboard.press("Enter")
    expect(page.locator("article[data-role=user]")).to_contain_text("日本")
    expect(page.locator("#box")).to_have_value("")


@pytest.fixture
def phone(contexts: Contexts, cookies: Cookies) -> BrowserContext:
    context = contexts(**PHONE)
    context.add_cookies(cookies)  # type: ignore[arg-type]
    return context


def test_fact_54_enter_makes_a_line_where_fingers_type(stack: Stack, phone: BrowserContext) -> None:
    page = new_thread(phone, stack)
    page.locator("#box").tap()
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    expect(page.locator("#box")).to_have_value("one\n\ntwo")
    assert page.locator("article").count() == 0
    page.locator("#send").tap()
    expect(page.locator("article[data-role=user]")).to_contain_text("two")


def test_fact_55_the_composer_stays_in_view_above_a_keyboard(stack: Stack, phone: BrowserContext) -> None:
    page = new_thread(phone, stack)
    say_by_tap(page, "[[script: long n=60 rate=200]]")
    settled(page)
    for width, height in ((390, 844), (320, 640)):
        page.set_viewport_size({"width": width, "height": height})
        page.locator("#box").tap()
        page.set_viewport_size({"width": width, "height": height - 300})
        page.locator("#box").fill("a line\n" * 30)
        for part in ("#box", "#send"):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= height - 300 + 0.5
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("#box").fill("")


def say_by_tap(page: Page, text: str) -> None:
    page.locator("#box").fill(text)
    page.locator("#send").tap()


def test_fact_56_what_is_pressed_in_the_composer_is_44_px_high_for_fingers(stack: Stack, phone: BrowserContext) -> None:
    page = new_thread(phone, stack)
    say_by_tap(page, "[[script: long n=900 rate=30]]")
    expect(page.locator("#stop")).to_have_count(1)
    heights = page.locator(".composer :is(button, textarea, summary, select, a)").evaluate_all(
        "all => all.filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().height)"
    )
    assert len(heights) >= 3
    assert min(heights) >= 44
    page.get_by_role("button", name="Stop").tap()
    settled(page)


def test_menus_close_with_escape_and_give_the_focus_back(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    menu = page.locator("#t-head details.menu").first
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()
