"""From nothing to an answer: with no key, and with one; and a key that does not work, put right where it is said."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Watch, sign_in_link
from tests.browser.pages import connected, last_answer, say, settled
from tests.flows.databases import Postgres, Sqlite
from tests.flows.stack import Stack


class KeylessStack(Stack):
    """Zerg for somebody who has no key: the demo model is the only one. (Here the double speaks in its place.)"""

    fake = ""

    def _start_broker_and_model(self) -> None:
        super()._start_broker_and_model()
        self.fake, self.model_url = f"{self.model_url}/v1", ""
        self._settings |= {"ZERG_LOCAL_MODEL_URL": self.fake, "ZERG_LOCAL_MODEL_NAME": "fake-1"}


@pytest.fixture(scope="module")
def keyless(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeylessStack]:
    folder = tmp_path_factory.mktemp("keyless-database")
    database = Postgres(folder) if stack.database.url.startswith("postgres") else Sqlite(folder)
    running = KeylessStack(tmp_path_factory.mktemp("keyless"), database)
    running.start()
    running.manage("shell", "-c", "from agents.models import Provider; Provider.objects.filter(name='Silent').delete()")
    yield running
    running.close()
    database.close()


@pytest.fixture
def newcomer(keyless: KeylessStack, watch: Watch, contexts: Callable[..., BrowserContext]) -> Page:
    watch.origin = keyless.origin
    page = contexts().new_page()
    page.goto(sign_in_link(keyless))  # the first click: the link that the start screen prints
    return page


def test_fact_49_three_clicks_lead_to_a_streamed_answer_without_any_key(newcomer: Page) -> None:
    newcomer.get_by_role("button", name="Try the demo model").click()
    newcomer.wait_for_url(re.compile(r"/threads/\d+/"))
    connected(newcomer)
    expect(newcomer.locator("#box")).to_have_value(re.compile("Hello"))
    newcomer.locator("#send").click()
    settled(newcomer)
    expect(last_answer(newcomer)).to_contain_text("You said: Hello")
    newcomer.goto(newcomer.url.split("/threads/")[0] + "/welcome/")
    expect(newcomer.locator("li.done", has_text="Say hello")).to_be_visible()


def test_fact_49_a_wrong_key_is_told_in_five_seconds_and_a_right_one_works_in_two_minutes(
    keyless: KeylessStack, newcomer: Page
) -> None:
    began = time.monotonic()
    newcomer.goto(f"{keyless.origin}/")
    newcomer.get_by_role("link", name="Connect a model").click()
    newcomer.get_by_role("link", name="Other", exact=True).click()
    newcomer.get_by_label("Name").fill("Fakeworks")
    newcomer.get_by_label("Address").fill(keyless.fake)
    result = newcomer.locator("#key-result")
    newcomer.get_by_label("Key").fill("no-key-at-all bad")
    newcomer.get_by_role("button", name="Test").click()
    expect(result).to_contain_text("A key has no spaces")
    newcomer.get_by_label("Key").fill("bad-key")
    newcomer.get_by_role("button", name="Test").click()  # loads the client, which a busy machine takes its time for
    expect(result).to_contain_text("Fakeworks refused the API key")
    newcomer.get_by_label("Name").fill("Fakeworks again")
    asked = time.monotonic()
    newcomer.get_by_role("button", name="Test").click()
    expect(result).to_contain_text("Fakeworks again refused the API key")
    assert time.monotonic() - asked < 5
    newcomer.get_by_label("Name").fill("Fakeworks")
    newcomer.get_by_label("Key").fill("sk-good-0123456789")
    newcomer.get_by_role("button", name="Test").click()
    expect(newcomer.locator("#key-result")).to_contain_text("it offers 3 models")
    newcomer.get_by_role("button", name="Connect").click()
    expect(newcomer.locator("li.done", has_text="Connect a model")).to_be_visible()
    newcomer.get_by_role("button", name=re.compile("Say hello to")).click()
    connected(newcomer)
    newcomer.locator("#send").click()
    settled(newcomer)
    assert time.monotonic() - began < 120


def test_a_refused_key_is_put_right_where_the_error_leads(stack: Stack, person: BrowserContext, watch: Watch) -> None:
    page = person.new_page()
    page.goto(f"{stack.origin}/settings/models/new/")
    page.get_by_label("Name").fill("Broken")
    page.get_by_label("Address").fill(f"{stack.model_url}/v1")
    page.get_by_label("Key").fill("bad-key")
    page.get_by_role("button", name="Save and test").click()
    expect(page.locator(".toast")).to_contain_text("Broken refused the API key")
    page.goto(f"{stack.origin}/agents/new/")
    page.get_by_label("Name", exact=True).fill("Speaks with Broken")
    page.locator("[name=model]").fill("Broken/fake-1")
    page.get_by_role("button", name="Save agent").click()
    page.get_by_role("button", name="Chat").click()
    connected(page)
    say(page, "Hello?")
    answer = settled(page)
    expect(answer.locator(".cause")).to_contain_text("Broken refused the API key")
    answer.get_by_role("link", name="Fix the key").click()
    box = page.get_by_label("New key of Broken")
    expect(box).to_be_focused()
    box.fill("sk-good-0123456789")
    box.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Broken works")
    row = page.locator(".rows li", has_text="Broken")
    expect(row).to_contain_text("6789")
    expect(row).to_contain_text("used by 1 agent")
    row.get_by_role("link", name="Remove").click()
    expect(page.locator("main")).to_contain_text("Speaks with Broken")
    page.get_by_role("button", name="Remove Broken").click()
    expect(page.locator(".rows")).not_to_contain_text("Broken")


def test_a_look_is_kept_and_seen_at_once(stack: Stack, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{stack.origin}/settings/profile/")
    page.get_by_label("Compact").check()
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"{stack.origin}/agents/")
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    page.goto(f"{stack.origin}/settings/profile/")
    page.get_by_label("Comfortable").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Saved")
