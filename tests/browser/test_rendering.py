"""What models write, on the page: whole at every moment, final once finished, harmless, and copied as it is."""

from __future__ import annotations

import base64
import json
import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Watch
from tests.browser.pages import ask, fresh_log_html, last_answer, log_html, new_thread, say, settled
from tests.fakellm.samples import TEXTS
from tests.flows.stack import Stack

SAMPLE_THE_TEXT = """() => {
  window.raw = [];
  const look = () => {
    for (const prose of document.querySelectorAll("#log article[data-role=assistant] > .prose")) {
      const found = prose.innerText.match(/```|\\*\\*|<su[pb]/);
      if (found) window.raw.push(prose.innerText.slice(Math.max(0, found.index - 20), found.index + 20));
    }
    window.looks = (window.looks || 0) + 1;
  };
  setInterval(look, 50);
}"""


def telling(text: str) -> str:
    """The script that answers with this very text."""
    return f"[[script: text base64={base64.b64encode(text.encode()).decode()}]]"


def clipboard(page: Page) -> dict[str, str]:
    """What another program would get, by its kind."""
    found: dict[str, str] = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const kinds = item.types.map(async (type) => [type, await (await item.getType(type)).text()]);
          return Object.fromEntries(await Promise.all(kinds));
        }"""
    )
    return found


def copied(page: Page, button: str) -> dict[str, str]:
    copy = page.locator(button).last
    copy.hover()
    copy.click()
    expect(copy).to_have_text("Copied")
    return clipboard(page)


@pytest.fixture
def reader(person: BrowserContext) -> BrowserContext:
    """Somebody whose browser lets pages use the clipboard."""
    person.grant_permissions(["clipboard-read", "clipboard-write"])
    return person


def test_fact_12_no_raw_syntax_shows_at_any_moment(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    page.evaluate(SAMPLE_THE_TEXT)
    for script in ("code", "table", "list"):
        ask(page, f"[[script: {script} rate=25]]")
    assert page.evaluate("window.looks") > 40
    assert page.evaluate("window.raw") == []


def test_facts_13_and_14_a_finished_block_stays_with_what_is_selected_in_it_and_its_button(
    stack: Stack, reader: BrowserContext
) -> None:
    page = new_thread(reader, stack)
    say(page, "[[script: code rate=12 then=150]]")
    block = last_answer(page).locator(".prose > .code").first
    expect(last_answer(page).locator(".prose:not(.tail) > .code")).not_to_have_count(0)
    page.evaluate(
        """() => {
          const block = document.querySelector("#log .prose:not(.tail) > .code");
          window.block = block;
          window.button = block.querySelector(".copy");
          getSelection().selectAllChildren(block.querySelector("code"));
          window.selected = String(getSelection());
        }"""
    )
    block.locator(".copy").hover()
    page.wait_for_timeout(5000)
    assert last_answer(page).get_attribute("data-status") == "streaming"
    assert page.evaluate("window.button === document.querySelector('#log .code .copy')")
    assert copied(page, "#log .code >> nth=0 >> .copy")["text/plain"] == TEXTS["code"].split("```")[1].removeprefix(
        "python\n"
    ).removesuffix("\n")
    settled(page, 60)
    assert page.evaluate("window.block.isConnected")
    assert page.evaluate("String(getSelection()) === window.selected && window.selected.includes('greet')")


def test_fact_15_what_streamed_is_what_a_reload_shows(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    for script in ("list", "code", "table", "math"):
        ask(page, f"[[script: {script} rate=120]]")
    assert log_html(page) == fresh_log_html(page)


def test_fact_16_prices_stay_prices_formulas_are_drawn_and_what_is_neither_stays(
    stack: Stack, person: BrowserContext
) -> None:
    page = new_thread(person, stack)
    text = "From $50 to $100.\n\nThen $E=mc^2$ follows.\n\nBut \\(\\frac{\\) does not."
    ask(page, telling(text))
    price, formula, neither = last_answer(page).locator(".prose > p").all()
    expect(price).to_have_text("From $50 to $100.")
    expect(formula.locator("math")).to_have_count(1)
    expect(neither.locator("code")).to_have_text("\\frac{")
    expect(neither).to_contain_text("it ends too early")
    expect(last_answer(page).locator("math")).to_have_count(1)
    assert formula.locator("msup").bounding_box(), "it is drawn, not only there"


def test_fact_17_a_diagram_s_source_is_code(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    say(page, "[[script: mermaid]]")
    code = settled(page).locator(".code")
    expect(code.locator(".code-head span")).to_have_text("mermaid")
    expect(code.locator("pre")).to_contain_text("A[Start] --> B{Choice}")
    expect(code.get_by_role("button")).to_have_count(1)


def test_facts_18_and_19_hostile_text_stays_text_and_pictures_are_links_that_nobody_loads(
    stack: Stack, person: BrowserContext, watch: Watch
) -> None:
    page = new_thread(person, stack)
    page.on("dialog", lambda dialog: watch.faults.append(f"dialog: {dialog.message}"))
    page.evaluate(
        """() => { window.violations = [];
          const note = (event) => window.violations.push(event.violatedDirective);
          document.addEventListener("securitypolicyviolation", note);
        }"""
    )
    for script in ("xss", "image"):
        ask(page, f"[[script: {script}]]")
    bad = (
        "script, iframe, svg, img, style, object, embed, link, [onerror], [onload], [style], .prose :is([hx-get], [id])"
    )
    expect(page.locator(f"#log :is({bad})")).to_have_count(0)
    expect(page.locator('#log .prose a:not([href^="http"], [href^="mailto:"])')).to_have_count(0)
    assert page.evaluate("[window.pwned, window.violations]") == [None, []]
    link = last_answer(page).get_by_role("link", name="Image on example.com: remote")
    expect(link).to_have_attribute("href", "https://example.com/picture.png")
    assert log_html(page) == fresh_log_html(page)
    # The fixture fails for every console error, and for every request to another host.


def test_a_message_is_copied_as_markdown_and_rich_text_and_a_table_for_spreadsheets(
    stack: Stack, reader: BrowserContext
) -> None:
    page = new_thread(reader, stack)
    say(page, "[[script: table]]")
    answer = settled(page)
    whole = copied(page, "#log .foot .copy")
    assert whole["text/plain"] == TEXTS["table"]
    assert "<td" in whole["text/html"]
    assert "<button" not in whole["text/html"]
    table = copied(page, "#log .table-box > .copy")
    assert table["text/plain"].split("\n")[:3] == [
        "City\tPeople\tNote",
        "Berlin\t3,700,000\tbig",
        "Ulm\t126,000\ta | bar",
    ]
    assert "<table" in table["text/html"]
    # Plain http has no clipboard of its own; the same goes another way.
    page.evaluate("Object.defineProperty(navigator.clipboard, 'write', { value: () => Promise.reject(new Error()) })")
    answer.locator(".foot .copy").hover()
    expect(page.locator("#log .foot .copy")).to_have_text("Copy")
    again = copied(page, "#log .foot .copy")
    assert again["text/plain"] == TEXTS["table"]
    assert "<td" in again["text/html"]
    expect(page.locator("#log .foot .copy")).to_have_text("Copy")
    assert log_html(page) == fresh_log_html(page)


def test_fact_48_an_export_read_again_is_drawn_the_same(stack: Stack, person: BrowserContext) -> None:
    page = new_thread(person, stack)
    for script in ("code", "table", "math"):
        ask(page, f"[[script: {script}]]")
    shown = page.locator("#log article[data-role=assistant] > .prose:not(.tail)").evaluate_all(
        "all => all.map(one => one.innerHTML)"
    )
    page.locator("#t-more > summary").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save as markdown").click()
    assert re.fullmatch(r"script-code-\d+\.md", saved.value.suggested_filename)
    text = saved.value.path().read_text()
    again = ask(page, telling(text)).locator(".prose").first.evaluate("one => one.innerHTML")
    assert len(shown) == 3
    for html in shown:
        assert html in again

    with page.expect_download() as whole:
        page.get_by_role("link", name="Save as JSON").click()
    rows = json.loads(whole.value.path().read_text())["messages"]
    assert [row["role"] for row in rows] == ["user", "assistant"] * 4
    assert rows[1]["content"] == TEXTS["code"]
    assert rows[6]["content"].endswith("]]")
