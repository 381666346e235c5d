"""The pictures of the documentation: ``python -m tests.browser.screens`` makes them anew into docs/screens/."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, chromium, sign_in_link
from tests.browser.pages import connected
from tests.flows.databases import Sqlite
from tests.flows.stack import Stack

SCREENS = Path(__file__).resolve().parents[2] / "docs" / "screens"
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
PAGES = {"home": "/", "agent": "/agents/1/edit/", "runs": "/runs/", "run": "/runs/1/", "models": "/settings/models/"}


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    database = Sqlite(folder)
    stack = Stack(folder / "stack", database, {"ZERG_TICK_SECONDS": "0.5"}).start()
    try:
        _shoot(stack)
    finally:
        stack.close()
        database.close()


def _shoot(stack: Stack) -> None:
    stack.manage("seed", "--agents", "5", "--threads", "9", "--messages", "120")
    SCREENS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        signed_in = browser.new_context()
        signed_in.new_page().goto(sign_in_link(stack))
        state = signed_in.storage_state()
        for theme in ("light", "dark"):
            for size, viewport in SIZES.items():
                context = browser.new_context(
                    viewport=viewport,  # type: ignore[arg-type]
                    color_scheme=theme,
                    storage_state=state,
                )
                page = context.new_page()
                for name, path in PAGES.items():
                    page.goto(f"{stack.origin}{path}")
                    page.screenshot(path=SCREENS / f"{name}-{theme}-{size}.png")
                _thread(page, stack, SCREENS / f"thread-{theme}-{size}.png")
                context.close()
        browser.close()


def _thread(page: Page, stack: Stack, path: Path) -> None:
    """A thread with a past, where a table and code were answered."""
    page.goto(f"{stack.origin}/threads/")
    page.locator("main .rows a").nth(3).click()
    connected(page)
    page.locator(".prose .code").last.scroll_into_view_if_needed()
    page.screenshot(path=path)


if __name__ == "__main__":
    main()
