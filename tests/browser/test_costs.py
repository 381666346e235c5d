"""What it costs: the cost of each answer, of its run, its thread and its agent; and how full the model's window is."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.pages import ANSWER, ask, connected, say, settled
from tests.browser.second import Second
from tests.flows.stack import Stack

IN, CACHED, OUT = Decimal("3"), Decimal("0.3"), Decimal("15")
GIVE_PRICES = f"""
from agents.catalog import ensure_built_in_providers
from agents.models import LanguageModel, Provider
ensure_built_in_providers()
provider = Provider.objects.get(kind="environment")
prices = {{"input_price": "{IN}", "cached_price": "{CACHED}", "output_price": "{OUT}", "context_window": 4096}}
LanguageModel.objects.update_or_create(provider=provider, name="fake-2", defaults=prices)
"""
USAGE = re.compile(r"([\d,]+) in \(([\d,]+) cached\) · ([\d,]+) out")


def thread_page(person: Second, agent: int) -> Page:
    page = person.context.new_page()
    page.goto(f"{person.stack.origin}/threads/{person.thread(agent, 'What it costs')}/")
    connected(page)
    return page


def amounts(page: Page) -> dict[str, tuple[str, Decimal]]:
    """Of each answer on the page: its run, and its exact cost, after looking that its tokens make it."""
    found = {}
    for answer in page.locator(ANSWER).all():
        cost = Decimal(answer.locator(".usage data").get_attribute("value") or "")
        said = USAGE.search(answer.locator(".usage").inner_text())
        assert said
        read, cached, wrote = (int(number.replace(",", "")) for number in said.groups())
        assert cached > 0
        assert cost == ((read - cached) * IN + cached * CACHED + wrote * OUT) / 1_000_000
        found[answer.get_attribute("id") or ""] = (answer.get_attribute("data-run") or "", cost)
    return found


def amount(page: Page, place: str) -> Decimal:
    return Decimal(page.locator(f"{place} data").first.get_attribute("value") or "")


def test_fact_45_the_cost_of_messages_runs_threads_and_their_agent_adds_up_exactly(
    second: Second, stack: Stack
) -> None:
    stack.manage("shell", "--no-imports", "-v", "0", "-c", GIVE_PRICES)
    agent = second.agent("Buyer", model="fake-2", tools=["current_time"])
    page = thread_page(second, agent)
    ask(page, "What is the price of this?")
    say(page, "[[script: tool]]")
    expect(page.locator(ANSWER)).to_have_count(3)
    settled(page)
    page.locator(ANSWER).last.get_by_role("button", name="Retry", exact=True).click()
    expect(page.locator(".foot .siblings")).to_contain_text("2/2")
    settled(page)
    paid = amounts(page)
    meter = page.locator("#meter").evaluate("meter => meter.outerHTML")
    page.get_by_role("link", name="Previous version").first.click()
    page.wait_for_url(re.compile("leaf="))
    connected(page)
    paid |= amounts(page)
    assert len(paid) == 5
    total = sum(cost for _, cost in paid.values())
    assert amount(page, "#meter summary") == total
    page.goto(page.url.partition("?")[0])
    connected(page)
    assert page.locator("#meter").evaluate("meter => meter.outerHTML") == meter

    for run in {run for run, _ in paid.values()}:
        page.goto(f"{stack.origin}/runs/{run}/")
        assert amount(page, ".facts.box") == sum(cost for of_run, cost in paid.values() if of_run == run)

    other = thread_page(second, agent)
    ask(other, "And of another thread?")
    total += amount(other, "#meter summary")
    other.goto(f"{stack.origin}/agents/{agent}/")
    assert amount(other, ".facts") == total
    in_threads = other.locator(".rows data").evaluate_all("all => all.map(one => one.value)")
    assert sum(Decimal(each) for each in in_threads) == total


def test_fact_45_a_model_without_a_price_says_so(second: Second, stack: Stack) -> None:
    agent = second.agent("Guesser", model="fake-small")
    page = thread_page(second, agent)
    answer = ask(page, "And what of this?")
    expect(answer.locator(".usage")).to_contain_text("no price")
    expect(page.locator("#meter")).to_contain_text("thread no price")
    page.goto(f"{stack.origin}/runs/{answer.get_attribute('data-run')}/")
    expect(page.locator(".facts.box")).to_contain_text("no price")
    page.goto(f"{stack.origin}/agents/{agent}/")
    expect(page.locator(".facts").first).to_contain_text("no price")


@pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
def test_the_meter_says_how_full_the_window_is_and_of_what(second: Second, stack: Stack, watch: Watch) -> None:
    stack.manage("shell", "--no-imports", "-v", "0", "-c", GIVE_PRICES)
    agent = second.agent("Reader", model="fake-2", system_instructions="Be brief. " * 40, tools=["current_time"])
    page = thread_page(second, agent)
    expect(page.locator("#meter")).to_be_hidden()
    ask(page, "word " * 300)
    summary = page.locator("#meter summary")
    expect(summary).to_contain_text(re.compile(r"\d+ % context"))
    before = int((summary.inner_text().split(" %")[0]).strip())
    summary.click()
    parts = page.locator("#meter .mine")
    for words in ("Instructions", "Tools", "2 messages", "Kept for the answer", "4,096 tokens", "left out first"):
        expect(parts).to_contain_text(words)
    summary.click()
    for _ in range(4):
        ask(page, "word " * 500)
    expect(summary).not_to_contain_text(f"{before} %")
    summary.click()
    expect(parts).to_contain_text("is not read any more")
    parts.get_by_role("link", name="this message").click()
    page.wait_for_url(re.compile("around="))
    page.go_back()
    page.goto(page.locator("#meter-more").evaluate("link => link.href"))
    expect(page.get_by_role("heading", name="Context and cost")).to_be_visible()
