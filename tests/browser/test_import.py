"""A thread leaves as a file and comes back from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Watch
from tests.browser.pages import ask, connected, new_thread
from tests.flows.stack import Stack


def test_a_thread_that_was_saved_as_json_is_imported_and_looks_as_it_did(
    stack: Stack, person: BrowserContext, watch: Watch, tmp_path: Path
) -> None:
    page = new_thread(person, stack)
    ask(page, "[[script: list]]")
    said = page.locator("#log .prose").all_inner_texts()
    page.locator("#t-more > summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as JSON").click()
    download.value.save_as(tmp_path / "thread.json")

    watch.expected.append("422")
    file = json.loads((tmp_path / "thread.json").read_text())
    (tmp_path / "broken.json").write_text(json.dumps({**file, "leaf_id": 0}))
    page.goto(f"{stack.origin}/threads/")
    page.get_by_role("link", name="Import").click()
    page.get_by_label("File").set_input_files(tmp_path / "broken.json")
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".error-summary")).to_contain_text("Nothing was imported. leaf_id: ")
    expect(page.locator(".error-summary")).to_be_focused()

    page.get_by_label("File").set_input_files(tmp_path / "thread.json")
    page.get_by_role("button", name="Import").click()
    page.wait_for_url(re.compile(r"/threads/\d+/$"))
    connected(page)
    expect(page.locator("#toasts")).to_contain_text("Imported.")
    assert page.locator("#log .prose").all_inner_texts() == said
    ask(page, "and it goes on")
