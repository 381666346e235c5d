"""What is typed into an agent's form is still there after the browser went away, and waits until somebody decides."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.second import Second
from tests.flows.parts import wait_until
from tests.flows.stack import Stack


def opened(person: Second, agent: int) -> Page:
    page = person.context.new_page()
    page.goto(f"{person.stack.origin}/agents/{agent}/edit/")
    return page


@pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
def test_typed_and_left_is_offered_restored_and_over_once_it_is_saved(second: Second, stack: Stack) -> None:
    agent = second.agent("Writer", system_instructions="Be brief.")
    page = opened(second, agent)
    page.locator("#id_system_instructions").fill("Be brief, and kind.")
    expect(page.locator("#kept")).to_contain_text("Draft saved")
    page.close()

    page = opened(second, agent)
    offer = page.locator("#draft-offer")
    expect(offer).to_contain_text("You have unsaved changes from")
    expect(page.get_by_label("Name")).to_have_value("Writer")
    # What is offered is not written over by what is typed beside it.
    page.get_by_label("What it does").fill("Writes letters.")
    expect(page.locator("#kept")).to_contain_text("restore or discard")
    offer.get_by_role("link", name="Restore").click()
    expect(page.locator("#id_system_instructions")).to_have_value("Be brief, and kind.")
    expect(page.locator("form.banner")).to_contain_text("These are your unsaved changes from")
    page.get_by_role("button", name="Save agent").click()
    page.wait_for_url(re.compile(rf"/agents/{agent}/$"))
    page.goto(f"{stack.origin}/agents/{agent}/edit/")
    expect(page.locator("#id_system_instructions")).to_have_value("Be brief, and kind.")
    expect(page.locator("form.banner")).to_have_count(0)


@pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
def test_discarding_leaves_alone_what_was_typed_meanwhile_and_keeps_that(second: Second, stack: Stack) -> None:
    agent = second.agent("Poet")
    page = opened(second, agent)
    page.get_by_label("What it does").fill("Rhymes.")
    # Whoever goes at once loses nothing either.
    page.goto(f"{stack.origin}/agents/")
    wait_until(
        lambda: bool(stack.rows(f"select 1 from agents_agentdraft where agent_id = {agent}")), "the draft is kept"
    )
    page.goto(f"{stack.origin}/agents/{agent}/edit/")
    expect(page.locator("#draft-offer")).to_be_visible()
    page.get_by_label("What it does").fill("Sings.")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("The earlier changes are discarded.")).to_be_focused()
    expect(page.get_by_label("What it does")).to_have_value("Sings.")
    expect(page.locator("#kept")).to_contain_text("Draft saved")
    page.goto(f"{stack.origin}/agents/{agent}/edit/?draft=1")
    expect(page.get_by_label("What it does")).to_have_value("Sings.")
