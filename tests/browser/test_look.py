"""What pages weigh, and what the first frame, quiet eyes and forced colours see."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from common.templatetags.zerg import STATES
from tests.browser.pages import last_answer, new_thread, say
from tests.flows.stack import Stack

KB = 1024
STATUSES = sorted({state for state, _ in STATES.values()})


@dataclass
class Cold:
    """What the network carried for a page that was opened with an empty cache; sizes in bytes as sent."""

    kinds: dict[str, str] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.sizes.values())

    def of(self, kind: str) -> float:
        return sum(size for request, size in self.sizes.items() if self.kinds.get(request) == kind)


def load_cold(context: BrowserContext, address: str) -> Cold:
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    seen = Cold()

    def answered(event: dict[str, Any]) -> None:
        if not event["response"]["url"].startswith("data:"):
            seen.kinds[event["requestId"]] = event["type"]
            seen.urls[event["requestId"]] = event["response"]["url"]

    devtools.on("Network.responseReceived", answered)
    devtools.on(
        "Network.loadingFinished", lambda event: seen.sizes.update({event["requestId"]: event["encodedDataLength"]})
    )
    page.goto(address, wait_until="networkidle")
    page.close()
    seen.sizes = {request: size for request, size in seen.sizes.items() if request in seen.kinds}
    return seen


def test_fact_01_a_cold_page_is_small_and_asks_nobody_else(stack: Stack, person: BrowserContext) -> None:
    home = load_cold(person, f"{stack.origin}/")
    assert home.total <= 100 * KB
    assert len(home.sizes) <= 10
    address = _thread_with_fifty_messages(stack, person)
    thread = load_cold(person, address)
    assert thread.total <= 150 * KB
    for page in (home, thread):
        assert 0 < page.of("Script") <= 32 * KB
        assert 0 < page.of("Stylesheet") <= 12 * KB
        assert {url for url in page.urls.values() if not url.startswith(stack.origin)} == set()


ANSWER = """Two releases landed, and one needs action:

| Package | From | To | Risk |
|---|---|---|---|
| asgi-core | 3.8 | 4.0 | High |

```python
async def lifespan(app):
    async with app.state.pool:  # moved
        yield
```

Everything else of the list is **as it was** yesterday, see the [notes](https://example.com/notes).
"""


def _thread_with_fifty_messages(stack: Stack, person: BrowserContext) -> str:
    """Answers with a table and code in them, as they are read in life."""
    page = new_thread(person, stack)
    address, number = page.url, page.url.rstrip("/").rpartition("/")[2]
    page.close()
    for _ in range(50):
        said = person.request.post(
            f"{stack.origin}/api/threads/{number}/messages",
            data={"role": "assistant", "content": ANSWER},
            headers={"Authorization": f"Bearer {stack.accounts.token}"},
        )
        assert said.ok, said.text()
    return address


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_fact_57_every_frame_that_is_painted_has_the_stored_theme(
    stack: Stack, contexts: Callable[..., BrowserContext], cookies: list[dict[str, object]], theme: str
) -> None:
    # The system asks for the other theme, so that a page which waits for a script would flash.
    context = contexts(color_scheme="light" if theme == "dark" else "dark")
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    choose_theme(page, stack, theme)
    frames = _frames_while(page, lambda: [page.goto(f"{stack.origin}{path}") for path in ("/agents/", "/runs/", "/")])
    choose_theme(page, stack, "system")
    assert frames
    darkest, lightest = min(frames), max(frames)
    assert lightest < 64 if theme == "dark" else darkest > 192


def choose_theme(page: Page, stack: Stack, theme: str) -> None:
    page.goto(f"{stack.origin}/settings/profile/")
    page.locator(f"input[name=theme][value={theme}]").check()
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    expect(page.locator(".toast")).to_contain_text("Saved")


def _frames_while(page: Page, act: Callable[[], object]) -> list[float]:
    """How light the corner of the page is, from 0 to 255, in each frame that the browser showed meanwhile."""
    devtools = page.context.new_cdp_session(page)
    pictures: list[str] = []

    def frame(event: dict[str, Any]) -> None:
        pictures.append(event["data"])
        devtools.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    devtools.on("Page.screencastFrame", frame)
    devtools.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
    act()
    until = time.monotonic() + 10
    while not pictures and time.monotonic() < until:  # three pages can be there before a busy browser has shown one
        page.wait_for_timeout(50)
    devtools.send("Page.stopScreencast")
    return [corner(page, picture) for picture in pictures]


def corner(page: Page, picture: str) -> float:
    """How light the last pixel of a picture is. The page decodes it: ``data:`` is within its policy."""
    lightness: float = page.evaluate(
        """async (data) => {
          const image = new Image();
          image.src = `data:image/png;base64,${data}`;
          await image.decode();
          const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
          const at = canvas.getContext("2d");
          at.drawImage(image, 4 - image.width, 4 - image.height);
          const [red, green, blue] = at.getImageData(0, 0, 1, 1).data;
          return (red + green + blue) / 3;
        }""",
        picture,
    )
    return lightness


def test_fact_58_nothing_moves_for_who_asks_for_less_motion(
    stack: Stack, contexts: Callable[..., BrowserContext], cookies: list[dict[str, object]]
) -> None:
    context = contexts(reduced_motion="reduce")
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = new_thread(context, stack)
    page.evaluate(
        """() => {
          window.moved = [];
          const note = (event) => moved.push(`${event.type} ${event.animationName ?? event.propertyName}`);
          for (const name of ["animationstart", "transitionrun"]) document.addEventListener(name, note, true);
          const look = () => {
            for (const one of document.getAnimations()) moved.push(one.animationName ?? one.transitionProperty);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    say(page, "[[script: long n=60 rate=40]]")
    expect(last_answer(page)).to_contain_text("w20 ")
    page.locator("#send").hover()
    page.locator("#t-head summary").first.click()
    page.locator(".rail a").first.hover()
    expect(last_answer(page)).to_contain_text("w59")
    assert page.evaluate("moved") == []


def test_motion_is_there_for_everybody_else(stack: Stack, person: BrowserContext) -> None:
    """Or the test above would be of nothing."""
    page = new_thread(person, stack)
    say(page, "[[script: hang after=20]]")
    expect(last_answer(page)).to_contain_text("w19 ")
    page.evaluate(
        """() => new Promise((done) => {
          const breathes = () => document.getAnimations().map((one) => one.animationName).join() === "breathe";
          const look = () => breathes() ? done() : requestAnimationFrame(look);
          look();
        })"""
    )
    page.locator("#stop").evaluate("form => form.requestSubmit()")
    expect(page.locator("#stop")).to_have_count(0)
    page.evaluate(
        """() => new Promise((done) => {
          const look = () => document.getAnimations().length ? requestAnimationFrame(look) : done();
          look();
        })"""
    )


def test_fact_58_every_status_can_be_told_apart_in_forced_colours(
    stack: Stack, contexts: Callable[..., BrowserContext], cookies: list[dict[str, object]]
) -> None:
    context = contexts(forced_colors="active")
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{stack.origin}/runs/")
    page.evaluate(
        """(states) => document.querySelector("main").replaceChildren(...states.map((state) => {
          const pill = Object.assign(document.createElement("p"), { className: "pill", id: state });
          pill.dataset.state = state;
          pill.textContent = "word";
          return pill;
        }))""",
        STATUSES,
    )
    shapes = {state: _shape(page, state) for state in STATUSES}
    # A disc, a diamond, a cross, a square and a ring; beside each stands its word.
    kinds = [("done", "working"), ("needs",), ("failed",), ("stopped",), ("idle", "off", "missed", "queued")]
    assert sorted(state for kind in kinds for state in kind) == STATUSES
    for one, other in itertools.combinations(kinds, 2):
        assert shapes[one[0]] != shapes[other[0]], (one, other)
    words = [words for state, words in STATES.values() if state in ("done", "working")]
    assert "Working" in words
    assert "Done" in words
    for state, picture in shapes.items():
        assert picture != _blank(page), state


def _shape(page: Page, state: str) -> str:
    """The mark of a pill, as a picture."""
    box = page.locator(f"#{state}").bounding_box()
    assert box is not None
    clip = {"x": box["x"] + 4, "y": box["y"] + 2, "width": 16, "height": box["height"] - 4}
    return base64.b64encode(page.screenshot(clip=clip)).decode()  # type: ignore[arg-type]


def _blank(page: Page) -> str:
    box = page.locator("#done").bounding_box()
    assert box is not None
    clip = {"x": box["x"] + 4, "y": 700, "width": 16, "height": box["height"] - 4}
    return base64.b64encode(page.screenshot(clip=clip)).decode()  # type: ignore[arg-type]


def test_bars_of_the_pulse_differ_without_colour(stack: Stack, contexts: Callable[..., BrowserContext]) -> None:
    context = contexts(forced_colors="active")
    page = context.new_page()
    page.goto(f"{stack.origin}/sign-in/")
    page.evaluate(
        """() => {
          const bars = [["done", 8, 18], ["failed", 0, 26], ["stopped", 15, 10.5], ["working", 4, 22]];
          document.querySelector("main").innerHTML = '<svg class="pulse" width="100" height="26">' + bars.map(
            ([name, y, height], at) => `<rect class="${name}" x="${at * 20}" y="${y}" height="${height}" width="4"/>`
          ).join("") + "</svg>";
        }"""
    )
    box = page.locator(".pulse").bounding_box()
    assert box is not None
    pictures = {
        page.screenshot(clip={"x": box["x"] + at * 20 - 2, "y": box["y"], "width": 8, "height": 26}) for at in range(4)
    }
    assert len(pictures) == 4
