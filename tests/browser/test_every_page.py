"""What holds on every page, found by its address, and in every state of it: in both themes and both sizes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.conftest import Watch, sign_in_link
from tests.browser.everywhere import World, of_part
from tests.browser.looking import Findings, Look, inspect
from tests.flows.databases import Sqlite
from tests.flows.stack import Stack

PARTS = [
    *("home", "agents", "threads", "conversations", "runs", "schedules", "settings", "api"),
    *("inbox", "search", "keys", "messages", "webhooks", "welcome"),
    *("dialogs", "refused forms", "signed out"),
]


@pytest.fixture(scope="module")
def watch(sqlite_stack: Stack) -> Watch:
    # Pages that refuse, and a server that is asked for what is not there, are meant.
    return Watch(sqlite_stack.origin, expected=[r"status of 4\d\d"])


@pytest.fixture(scope="module")
def sqlite_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Zerg of its own: what fills it would be in the way of other tests. No page knows its database."""
    database = Sqlite(tmp_path_factory.mktemp("everywhere"))
    running = Stack(tmp_path_factory.mktemp("everywhere-stack"), database).start()
    yield running
    running.close()
    database.close()


@pytest.fixture(scope="module")
def world(browser: Browser, sqlite_stack: Stack, watch: Watch) -> Iterator[World]:
    context = _watched(browser, watch)
    context.new_page().goto(sign_in_link(sqlite_stack))
    yield World(sqlite_stack, context).fill()
    context.close()


def _watched(browser: Browser, watch: Watch) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    context.on("console", watch.on_console)
    context.on("weberror", watch.on_error)
    context.on("request", watch.on_request)
    return context


@pytest.fixture(scope="module")
def look(browser: Browser, world: World, watch: Watch) -> Look:
    """The findings of a part; each is looked at once, however many tests ask."""
    known: dict[str, Findings] = {}

    def findings(part: str) -> Findings:
        if part not in known:
            known[part] = Findings()
            stranger = _watched(browser, watch)
            for name, page in of_part(world, part, stranger):
                inspect(page, name, known[part])
            stranger.close()
        return known[part]

    return findings


def test_every_part_of_the_product_is_looked_at(world: World) -> None:
    assert set(world.found) <= set(PARTS), "say in PARTS, above, that there is another part"


@pytest.mark.parametrize("part", PARTS)
def test_fact_50_axe_finds_nothing_in_any_theme_size_or_state(look: Look, part: str) -> None:
    found = look(part).access
    assert not found, "\n".join(found)


@pytest.mark.parametrize("part", PARTS)
def test_fact_55_nothing_scrolls_sideways_at_320_px_or_with_text_twice_as_large(look: Look, part: str) -> None:
    found = look(part).sideways
    assert not found, "\n".join(found)


@pytest.mark.parametrize("part", PARTS)
def test_fact_56_whatever_can_be_pressed_is_at_least_24_px_high_and_wide(look: Look, part: str) -> None:
    found = look(part).small
    assert not found, "\n".join(found)


@pytest.mark.parametrize("part", PARTS)
def test_fact_57_no_script_or_style_is_inline(look: Look, part: str) -> None:
    found = look(part).inline
    assert not found, "\n".join(found)


def test_fact_18_no_page_of_the_tour_breaks_the_policy(look: Look, watch: Watch) -> None:
    for part in PARTS:
        look(part)
    assert watch.faults == []
