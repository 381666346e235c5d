"""The pictures of the documentation: ``python -m tests.browser.screens`` makes them anew into docs/screens/."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.conftest import FLAGS, chromium, sign_in_link
from tests.browser.pages import connected, last_answer, say, settled
from tests.fakellm.stories import STORIES
from tests.flows.databases import Sqlite
from tests.flows.stack import Stack

SCREENS = Path(__file__).resolve().parents[2] / "docs" / "screens"
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
WHAT_CHANGED, PLAN, PLAN_SLOWLY, SUM, NEXT_MONTH = STORIES


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    database = Sqlite(folder)
    stack = Stack(folder / "stack", database, {"ZERG_TICK_SECONDS": "0.5"}).start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
            Pictures(stack, browser).take()
            browser.close()
    finally:
        stack.close()
        database.close()


class Pictures:
    """Each page in both themes and both sizes, as ``<name>-<theme>-<size>.png``."""

    def __init__(self, stack: Stack, browser: Browser) -> None:
        self.stack, self.browser = stack, browser
        first = browser.new_context(viewport=SIZES["desk"])  # type: ignore[arg-type]
        first.new_page().goto(sign_in_link(stack))
        self.state = first.storage_state()
        self.context: BrowserContext = first
        SCREENS.mkdir(parents=True, exist_ok=True)

    def take(self) -> None:
        self._of({"welcome": "/welcome/"})
        self.stack.manage("seed", "--agents", "5", "--threads", "9", "--messages", "120", "--schedules", "3")
        settled_thread = self._ask("Scout", WHAT_CHANGED, PLAN)
        failed_thread = self._ask("Assistant", SUM)
        self._fails_unseen(failed_thread)
        self._streaming()
        run = self.stack.rows("select max(run_id) from runs_step where kind = 'tool'")[0][0]
        agent = self.stack.rows("select min(id) from agents where name = 'Scout'")[0][0]
        pages = {"thread-settled": settled_thread, "thread-failed": failed_thread, "run": f"/runs/{run}/"}
        pages |= {"agent": f"/agents/{agent}/edit/", "runs": "/runs/", "threads": "/threads/"}
        pages |= {"schedule": self._schedule(), "webhook": self._webhook()}
        self._of({**pages, "settings": "/settings/models/", "profile": "/settings/profile/"})

    def _schedule(self) -> str:
        """The path of a schedule that was said in words."""
        page = self.context.new_page()
        page.goto(f"{self.stack.origin}/schedules/new/")
        page.get_by_label("Agent").select_option(label="Scout")
        page.get_by_label("In words").fill("every weekday at 7")
        page.get_by_label("Message").fill("What changed upstream since {{last_run}}? Begin with what breaks us.")
        page.get_by_label("Name").fill("Morning brief")
        page.get_by_role("button", name="Save schedule").click()
        page.wait_for_url(re.compile(r"/schedules/\d+/$"))
        page.close()
        return page.url.removeprefix(self.stack.origin)

    def _webhook(self) -> str:
        """The path of a webhook to which a test was sent."""
        page = self.context.new_page()
        page.goto(f"{self.stack.origin}/webhooks/new/")
        page.get_by_label("Agent").select_option(label="Scout")
        page.get_by_label("Name").fill("Pushes to main")
        page.get_by_label("GitHub", exact=True).check()
        page.get_by_role("button", name="Make the webhook").click()
        page.get_by_role("link", name="Go on").click()
        page.wait_for_url(re.compile(r"/webhooks/\d+/$"))
        path = page.url.removeprefix(self.stack.origin)
        page.get_by_role("button", name="Send a test").click()
        page.get_by_role("link", name=re.compile(r"^Run \d+$")).first.click()
        expect(page.locator("main .pill[data-state=done]").first).to_be_visible(timeout=20_000)
        page.close()
        return path

    def _fails_unseen(self, thread: str) -> None:
        """A run fails while nobody looks, so that Home has something to say."""
        token = {"Authorization": f"Bearer {self.stack.accounts.token}"}
        address = f"{self.stack.origin}/api{thread}messages"
        assert self.context.request.post(address, data={"content": NEXT_MONTH}, headers=token).ok
        page = self.context.new_page()
        page.goto(f"{self.stack.origin}/")
        expect(page.locator("main .pill[data-state=failed]").first).to_be_visible(timeout=20_000)
        page.close()

    def _ask(self, agent: str, *questions: str) -> str:
        """The path of a new thread in which an agent was asked, and has answered, all of the questions."""
        page = self._chat(self.context, agent)
        for question in questions:
            say(page, question)
            expect(page.locator("article[data-role=user]").last).to_contain_text(question)
            expect(page.locator("article").last).to_have_attribute("data-role", "assistant")
            settled(page)
        page.close()
        return page.url.removeprefix(self.stack.origin)

    def _chat(self, context: BrowserContext, agent: str) -> Page:
        page = context.new_page()
        page.goto(f"{self.stack.origin}/")
        page.get_by_role("button", name=f"Chat with {agent}").click()
        page.wait_for_url(re.compile(r"/threads/\d+/$"))
        connected(page)
        return page

    def _dressed(self, theme: str, size: str) -> BrowserContext:
        viewport = SIZES[size]
        return self.browser.new_context(
            viewport=viewport,  # type: ignore[arg-type]
            color_scheme=theme,  # type: ignore[arg-type]
            storage_state=self.state,
            reduced_motion="reduce",
        )

    def _of(self, pages: dict[str, str]) -> None:
        for theme in THEMES:
            for size in SIZES:
                context = self._dressed(theme, size)
                for name, path in pages.items():
                    page = context.new_page()
                    page.goto(f"{self.stack.origin}{path}")
                    if page.locator("#log").count():
                        connected(page)
                    page.screenshot(path=SCREENS / f"{name}-{theme}-{size}.png")
                    page.close()
                context.close()

    def _streaming(self) -> None:
        """An answer while it is written, and Home meanwhile: one thread that four browsers look at."""
        page = self._chat(self.context, "Scout")
        others = [(theme, size, self._dressed(theme, size).new_page()) for theme in THEMES for size in SIZES]
        for _, _, other in others:
            other.goto(page.url)
            connected(other)
        say(page, PLAN_SLOWLY)
        for theme, size, other in others:
            expect(last_answer(other)).to_contain_text("nightly run was green")
            other.screenshot(path=SCREENS / f"thread-streaming-{theme}-{size}.png")
            other.goto(f"{self.stack.origin}/")
            expect(other.locator("main")).to_contain_text("Working")
            other.screenshot(path=SCREENS / f"home-{theme}-{size}.png")
            other.context.close()
        page.get_by_role("button", name="Stop").click()
        settled(page)
        page.close()


if __name__ == "__main__":
    main()
