"""A real browser on a real Zerg: headless Chromium, and every process that a deployment has."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    WebError,
    expect,
    sync_playwright,
)

from tests.browser.second import Second
from tests.flows.databases import Postgres, Sqlite
from tests.flows.stack import Stack

# A wait ends when what is waited for is there; this is how long a busy machine may take for it.
expect.set_options(timeout=15_000)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    found = os.environ.get("ZERG_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "no Chromium: run the browser tests with ./zerg test"
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp(f"browser-{request.param}")
    database = Sqlite(folder) if request.param == "sqlite" else Postgres(folder)
    running = Stack(
        tmp_path_factory.mktemp("browser-stack"), database, {"ZERG_TICK_SECONDS": "0.5", "ZERG_LEASE_SECONDS": "12"}
    ).start()
    yield running
    running.close()
    database.close()


GIVEN_UP = r"^htmx:(afterRequest|sendAbort)\b"
"""How htmx says that a request was given up: somebody typed on before the answer came. A failure has other names."""


@dataclass
class Watch:
    """What a page must not do: break its policy, raise errors, ask other hosts."""

    origin: str
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(re.search(words, message.text) for words in [GIVEN_UP, *self.expected]):
            self.faults.append(f"console: {message.text}")

    def on_error(self, error: WebError) -> None:
        # The browser itself says so of a page that is left while it still fades in.
        if "Transition was" not in str(error.error):
            self.faults.append(f"error: {error.error}")

    def on_request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, self.origin.replace("http", "ws"), "data:", "blob:")):
            self.faults.append(f"request to another host: {request.url}")


Open = Callable[..., Page]


@pytest.fixture
def watch(stack: Stack) -> Iterator[Watch]:
    watching = Watch(stack.origin)
    yield watching
    assert watching.faults == []


@pytest.fixture
def contexts(browser: Browser, watch: Watch) -> Iterator[Callable[..., BrowserContext]]:
    opened: list[BrowserContext] = []

    def open_context(**options: object) -> BrowserContext:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        context.on("console", watch.on_console)
        context.on("weberror", watch.on_error)
        context.on("request", watch.on_request)
        opened.append(context)
        return context

    yield open_context
    for context in opened:
        context.close()


def sign_in_link(stack: Stack) -> str:
    """A fresh one-time link for the administrator."""
    said = json.loads(stack.manage("setup").strip().splitlines()[-1])
    return f"{stack.origin}{said['link']}"


@pytest.fixture(scope="session")
def cookies(browser: Browser, stack: Stack) -> list[dict[str, object]]:
    """The session of somebody who has signed in."""
    context = browser.new_context()
    context.new_page().goto(sign_in_link(stack))
    kept = [dict(cookie) for cookie in context.cookies()]
    context.close()
    return kept


@pytest.fixture
def person(contexts: Callable[..., BrowserContext], cookies: list[dict[str, object]]) -> BrowserContext:
    """A browser of somebody who has signed in."""
    context = contexts()
    context.add_cookies(cookies)  # type: ignore[arg-type]
    return context


@pytest.fixture
def second(contexts: Callable[..., BrowserContext], stack: Stack) -> Second:
    """A browser of somebody else."""
    return Second(contexts(), stack)
