"""Every page of the product, as its addresses name them, and the states that a page can be in.

A new page is found by its route. Only when its address has a parameter that nobody has named yet does ``NAMES`` need
another line; a state that takes more than an address needs a visit of its own below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.pages import ANSWER, connected, say, settled
from tests.flows.stack import Stack
from tests.site.test_signed_out import pages as routes_of_pages

NAMES = [
    (r"^agents/<int:(pk|agent_id)>", "agent"),
    (r"versions/<int:number>", "version"),
    (r"^agents/starter/<slug:key>", "starter"),
    (r"^(threads|trials)/<int:(pk|thread_id)>", "thread"),
    (r"^messages/<int:(pk|message_id)>", "message"),
    (r"^queue/<int:(pk|message_id)>", "message"),
    (r"^runs/<int:(pk|run_id)>", "run"),
    (r"<int:index>", "step"),
    (r"^schedules/<int:pk>", "schedule"),
    (r"^webhooks/<int:pk>", "webhook"),
    (r"<int:received_id>", "received"),
    (r"^settings/models/<int:pk>", "provider"),
    (r"^settings/tokens/<int:pk>", "token"),
    (r"^settings/notices/webhooks/<int:pk>", "hook"),
]
"""What the parameters of addresses stand for: one of each is in the world below."""

QUERIES = {
    "home": ["/"],
    "agents": [f"/agents/{{agent}}/?tab={tab}" for tab in ("threads", "schedules", "runs", "setup")]
    + ["/agents/?archived=1", "/agents/{bare}/"],
    "threads": ["/threads/?q=nobody-ever-said-this", "/threads/{empty}/"],
    "search": ["/search/?q=releases", "/search/?q=nobody-ever-said-this"],
    "runs": ["/runs/?status=failed", "/runs/?status=done", "/runs/?status=due", "/runs/{failed}/"],
    "schedules": ["/schedules/new/?agent={agent}"],
    "settings": ["/settings/models/new/?preset=openai"],
}
"""Addresses beside the bare routes that show something else."""

Show = Callable[[Page], object]


@dataclass
class World:
    """One of everything, as ids."""

    stack: Stack
    context: BrowserContext
    ids: dict[str, int | str] = field(default_factory=dict)

    def fill(self) -> World:
        """Makes data as after some weeks of use, and finds one of each kind in it."""
        self.stack.manage("seed", "--agents", "6", "--threads", "12", "--messages", "72", "--schedules", "5")
        asked = {
            "agent": "select min(agent_id) from triggers_schedule",
            "thread": "select min(id) from agent_threads where last_seq > 4",
            "message": "select max(id) from thread_messages where role = 'assistant'",
            "run": "select min(run_id) from runs_step",
            "schedule": "select min(id) from triggers_schedule",
            "provider": "select max(id) from agents_provider",
            "token": "select min(id) from accounts_apitoken",
        }
        self.ids = {name: self.stack.rows(query)[0][0] for name, query in asked.items()}
        self.ids |= {"step": 1, "version": 1, "starter": "watcher"}
        self.ids["bare"] = self._made("agent", {"name": "Newcomer"})
        self.ids["empty"] = self._made("thread", {"agent_id": self.ids["bare"]})
        self.ids["failed"] = self._failed_run()
        self.ids["hook"] = self._hook()
        about: dict[str, object] = {
            "agent_id": self.ids["agent"],
            "name": "Orders",
            "style": "github",
            "prompt": "Look: {{payload}}",
        }
        self.ids["webhook"] = self._made("webhook", about)
        self.ids["received"] = self._made(f"webhooks/{self.ids['webhook']}/test", {})
        return self

    def _made(self, kind: str, fields: dict[str, object]) -> int:
        """The id of what is made by a call of the API: under the plural of its kind, or by a deed."""
        path = kind if "/" in kind else f"{kind}s"
        headers = {"Authorization": f"Bearer {self.stack.accounts.token}"}
        answer = self.context.request.post(f"{self.stack.origin}/api/{path}", data=fields, headers=headers)
        assert answer.ok, answer.text()
        return int(answer.json()["id"])

    def _failed_run(self) -> int:
        page = self.thread()
        say(page, "[[script: drop after=20]] what is the weather?")
        settled(page)
        page.close()
        return int(self.stack.rows("select max(id) from runs_run")[0][0])

    def _hook(self) -> int:
        page = self.context.new_page()
        page.goto(f"{self.stack.origin}/settings/notices/webhooks/new/")
        page.get_by_label("Name").fill("Status board")
        page.get_by_label("Address").fill("http://192.0.2.1/zerg?room=1")
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_text("shown only this once")).to_be_visible()
        page.close()
        return int(self.stack.rows("select max(id) from runs_outgoinghook")[0][0])

    def address(self, path: str) -> str:
        return self.stack.origin + path.format(**self.ids)

    def thread(self) -> Page:
        """A new thread with the agent that has nothing yet, open."""
        page = self.context.new_page()
        page.goto(self.address(f"/threads/{self._made('thread', {'agent_id': self.ids['bare']})}/"))
        connected(page)
        return page

    @cached_property
    def found(self) -> dict[str, list[str]]:
        """The addresses of all pages, by the first word of their path. What only answers forms, or gives a piece of a
        page, is no page."""
        pages: dict[str, list[str]] = {part: list(more) for part, more in QUERIES.items()}
        for route in [*routes_of_pages(), "api/docs"]:
            path = f"/{_named(route)}"
            if "<" in path:
                guess = self.context.request.get(self.address(re.sub("<[^>]+>", "1", path)), max_redirects=0)
                assert guess.status == 405, f"say in NAMES what the parameter of {route} stands for"
                continue
            part = route.partition("/")[0] or "home"
            if self._is_page(self.address(path)) and path not in pages.setdefault(part, []):
                pages[part].append(path)
        return pages

    def _is_page(self, address: str) -> bool:
        answer = self.context.request.get(address, max_redirects=0)
        assert answer.status < 500, address
        is_html = answer.headers.get("content-type", "").startswith("text/html")
        return answer.status == 200 and is_html and "<html" in answer.text()


def _named(route: str) -> str:
    """A route as an address in which the kinds of things stand for their ids, as far as they are known."""

    def name(parameter: re.Match[str]) -> str:
        upto = route[: parameter.end()]
        known = [kind for pattern, kind in NAMES if re.search(f"{pattern}$", upto)]
        return f"{{{known[0]}}}" if known else parameter[0]

    return re.sub(r"<[^>]+>", name, route)


def conversations(world: World) -> Iterator[tuple[str, Page]]:
    """Threads in every state they can be in, each open as long as it is looked at."""
    page = world.thread()
    for script in ("reasoning", "code", "table", "list", "math"):
        say(page, f"[[script: {script}]]")
        settled(page)
    yield "a full thread", page
    say(page, '[[script: tool name=calculate args={"expression":"6*7"}]]')
    settled(page)
    page.locator("details.tool summary").first.click()
    yield "a thread with a tool", page
    say(page, "[[script: status code=500 times=9 retry=0]] please")
    settled(page)
    expect(page.locator(".error-card")).to_be_visible()
    yield "a thread with an error", page
    page.close()
    page = world.thread()
    say(page, "[[script: hang after=60]]")
    expect(page.locator(ANSWER).last).to_contain_text("w59")
    yield "a thread that is being written", page
    for number, text in enumerate(("Then this", "And that " * 40), 1):
        say(page, text)
        expect(page.locator("#queue .queue-row")).to_have_count(number)
    page.locator("#queue summary").first.click()
    yield "a thread with a queue", page
    page.locator("#stop").evaluate("form => form.requestSubmit()")
    expect(page.locator(".turn-head .pill[data-state=stopped]").first).to_be_visible()
    page.close()


def dialogs(world: World) -> Iterator[tuple[str, Page]]:
    """What opens over a page by a key."""
    page = world.context.new_page()
    page.goto(world.address("/agents/"))
    page.keyboard.press("Control+k")
    expect(page.locator("#palette .offer").first).to_be_visible()
    yield "the palette", page
    page.locator("#palette-box").fill("nobody ever said this")
    expect(page.locator("#palette .palette-none")).to_be_visible()
    yield "the palette without an offer", page
    page.close()


def refused_forms(world: World) -> Iterator[tuple[str, Page]]:
    """Forms as they come back when something is missing in them."""
    page = world.context.new_page()
    for path in (
        "/agents/new/",
        "/schedules/new/",
        "/webhooks/new/",
        "/settings/models/new/?preset=openai",
        "/settings/profile/",
    ):
        page.goto(world.address(path))
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.evaluate(EMPTY_AND_SEND)
        expect(page.locator(".error-summary").first).to_be_visible()
        yield f"{path} refused", page
    page.close()


EMPTY_AND_SEND = """() => {
  const form = document.querySelector("main form[method=post]:has(:is(input:not([type=hidden]), textarea))");
  for (const input of form.querySelectorAll("input[type=text], input:not([type]), input[type=url], textarea")) {
    input.value = "";
  }
  form.noValidate = true;
  form.requestSubmit();
}"""


def signed_out(world: World, stranger: BrowserContext) -> Iterator[tuple[str, Page]]:
    """What somebody sees who is not signed in, or has come to the wrong place."""
    page = stranger.new_page()
    for path in ("/sign-in/", "/sign-in/once/over/", "/sign-in/?next=/agents/"):
        page.goto(world.stack.origin + path)
        yield path, page
    page.get_by_label("E-mail").fill("nobody@localhost")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".error-summary")).to_be_visible()
    yield "a refused sign-in", page
    page.close()
    page = world.context.new_page()
    for path in ("/nothing/here/", "/threads/987654321/"):
        page.goto(world.stack.origin + path)
        yield path, page
    page.close()


def of_part(world: World, part: str, stranger: BrowserContext) -> Iterator[tuple[str, Page]]:
    """The pages of one part of the product, open one after the other, with their names."""
    special = {"conversations": conversations, "refused forms": refused_forms, "dialogs": dialogs}
    if part in special:
        yield from special[part](world)
    elif part == "signed out":
        yield from signed_out(world, stranger)
    else:
        page = world.context.new_page()
        for path in world.found.get(part, []):
            page.goto(world.address(path))
            if page.locator("#log").count():
                connected(page)
            page.evaluate(SHORTEN)
            yield path, page
        page.close()


# The pages of the API say the same of each operation and object, by one template: two of each stand for all.
SHORTEN = "() => { for (const one of document.querySelectorAll('.docs article:nth-of-type(n + 3)')) one.remove(); }"
