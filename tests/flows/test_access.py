"""What is somebody's is theirs: to a stranger it is not there, on any way to it; and rights that end, end at once."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.flows.people import Object, Person, unique
from tests.flows.visitor import TOKEN, Visitor


@pytest.fixture
async def things(owner: Person) -> dict[str, int]:
    """One of everything, the owner's."""
    agent = await owner.agent(task_instructions="Look around.")
    thread = await owner.thread(agent)
    run = await owner.ask(thread, unique())
    (message, *_) = await owner.messages(thread)
    schedule = await owner.post("/api/schedules", {"agent_id": agent["id"], "expression": "0 0 1 1 *"})
    about = {"agent_id": agent["id"], "name": "Orders", "prompt": "Look: {{payload}}"}
    webhook = await owner.post("/api/webhooks", about)
    received = await owner.post(f"/api/webhooks/{webhook['id']}/test", status=202)
    await owner.ended(received["run_id"])
    found = {"agent": agent, "thread": thread, "run": run, "message": message, "schedule": schedule}
    found |= {"webhook": webhook, "received": received}
    return {name: thing["id"] for name, thing in found.items()}


PAGES = [
    ("GET", "/agents/{agent}/"),
    ("GET", "/agents/{agent}/edit/"),
    ("POST", "/agents/{agent}/threads/"),
    ("POST", "/agents/{agent}/run/"),
    ("POST", "/agents/{agent}/try/"),
    ("GET", "/agents/{agent}/versions/1/"),
    ("POST", "/agents/{agent}/versions/1/restore/"),
    ("POST", "/trials/{thread}/start-over/"),
    ("GET", "/threads/{thread}/"),
    ("GET", "/threads/{thread}/messages/more/"),
    ("GET", "/threads/{thread}.md"),
    ("GET", "/threads/{thread}.json"),
    ("GET", "/messages/{message}.md"),
    ("GET", "/threads/{thread}/sync/?v=0"),
    ("POST", "/threads/{thread}/messages/"),
    ("GET", "/threads/{thread}/find/?q=hello"),
    ("POST", "/threads/{thread}/read/"),
    ("POST", "/threads/{thread}/unread/"),
    ("POST", "/threads/{thread}/draft/"),
    ("POST", "/threads/{thread}/title/"),
    ("POST", "/threads/{thread}/delete/"),
    ("GET", "/threads/{thread}/?leaf={message}"),
    ("GET", "/messages/{message}/edit/"),
    ("POST", "/messages/{message}/edit/"),
    ("GET", "/messages/{message}/changes/"),
    ("POST", "/queue/{message}/remove/"),
    ("GET", "/runs/{run}/"),
    ("GET", "/runs/{run}/steps/1/"),
    ("POST", "/runs/{run}/stop/"),
    ("POST", "/runs/{run}/retry/"),
    ("POST", "/runs/{run}/try-now/"),
    ("POST", "/runs/{run}/last-messages/"),
    ("GET", "/threads/{thread}/context/"),
    ("GET", "/webhooks/{webhook}/"),
    ("POST", "/webhooks/{webhook}/secret/"),
    ("POST", "/webhooks/{webhook}/test/"),
    ("GET", "/webhooks/{webhook}/log/{received}/"),
    ("POST", "/webhooks/{webhook}/log/{received}/replay/"),
]
ROUTES = [
    ("GET", "/api/agents/{agent}", None),
    ("POST", "/api/agents/{agent}/messages", {"content": "hello"}),
    ("POST", "/api/agents/{agent}/run", {"input": "hello"}),
    ("POST", "/api/threads", {"agent_id": "{agent}", "title": "mine now"}),
    ("GET", "/api/threads/{thread}/messages", None),
    ("POST", "/api/threads/{thread}/messages", {"content": "hello"}),
    ("POST", "/api/threads/{thread}/runs", None),
    ("DELETE", "/api/threads/{thread}", None),
    ("GET", "/api/runs/{run}", None),
    ("POST", "/api/runs/{run}/cancel", None),
    ("POST", "/api/runs/{run}/retry", None),
    ("POST", "/api/schedules", {"agent_id": "{agent}", "expression": "0 0 1 1 *"}),
    ("POST", "/api/schedules/{schedule}/run", None),
    ("PATCH", "/api/schedules/{schedule}", {"enabled": False}),
    ("POST", "/api/webhooks", {"agent_id": "{agent}", "name": "Mine now", "prompt": "Look"}),
    ("PATCH", "/api/webhooks/{webhook}", {"enabled": False}),
    ("POST", "/api/webhooks/{webhook}/rotate", None),
    ("POST", "/api/webhooks/{webhook}/test", None),
    ("GET", "/api/webhooks/{webhook}/deliveries/{received}", None),
    ("POST", "/api/webhooks/{webhook}/deliveries/{received}/replay", None),
]


async def rows_of(owner: Person, things: dict[str, int]) -> list[Any]:
    """All that a stranger could have changed."""
    paths = ("/api/agents/{agent}", "/api/threads/{thread}/messages", "/api/threads/{thread}/runs",
             "/api/schedules/{schedule}", "/api/threads/{thread}", "/api/webhooks/{webhook}",
             "/api/webhooks/{webhook}/deliveries")  # fmt: skip
    return [await owner.get(path.format(**things)) for path in paths]


async def test_to_a_strangers_session_nothing_is_there(owner: Person, things: dict[str, int]) -> None:
    before = await rows_of(owner, things)
    accounts = owner.stack.accounts
    async with Visitor.of(owner.stack) as stranger:
        await stranger.sign_in(accounts.stranger_email, accounts.stranger_password)
        found = TOKEN.search(await stranger.page("/settings/profile/"))
        assert found
        for method, path in PAGES:
            place = path.format(**things)
            if method == "GET":
                answer = await stranger.see(place)
            else:
                answer = await stranger.submit_with(found[1], place, {"content": "hello", "title": "mine now"})
            assert answer.status == 404, (method, path, answer.status)
    assert await rows_of(owner, things) == before


async def test_to_a_strangers_token_nothing_is_there(owner: Person, stranger: Person, things: dict[str, int]) -> None:
    before = await rows_of(owner, things)
    for method, path, body in ROUTES:
        sent: Object | None = body and {
            name: things["agent"] if value == "{agent}" else value for name, value in body.items()
        }
        answer = await stranger.call(method, path.format(**things), sent)
        missing = await stranger.call(method, path.format(**dict.fromkeys(things, 987_654_321)), sent)
        assert (answer.status, answer.error["code"]) == (404, "not_found"), (method, path, answer.text)
        if "{agent}" not in str(body):
            assert answer.text == missing.text
    assert await rows_of(owner, things) == before


async def test_without_a_session_pages_lead_to_the_sign_in_and_the_socket_is_closed(
    owner: Person, things: dict[str, int]
) -> None:
    async with Visitor.of(owner.stack) as nobody:
        for _, path in (row for row in PAGES if row[0] == "GET"):
            answer = await nobody.see(path.format(**things), allow_redirects=False)
            assert answer.status == 302, path
            assert answer.headers["Location"].startswith("/sign-in/?next=")
        async with nobody.api_socket(things["thread"]) as socket:
            assert await socket.closed() == 4401


async def test_a_strangers_session_sees_no_frame_of_a_page(owner: Person, things: dict[str, int]) -> None:
    accounts = owner.stack.accounts
    async with Visitor.of(owner.stack) as stranger:
        await stranger.sign_in(accounts.stranger_email, accounts.stranger_password)
        for path in (f"/threads/{things['thread']}/live", f"/api/threads/{things['thread']}/ws"):
            connection = await stranger.connect(path, {"Origin": stranger.origin})
            frames = [message.data async for message in connection if message.type == aiohttp.WSMsgType.TEXT]
            assert connection.close_code == 4404
            assert len(frames) == 1
            assert '"not_found"' in frames[0]


async def test_a_token_that_is_revoked_ends_its_sockets_and_its_calls(owner: Person, visitor: Visitor) -> None:
    thread = await owner.thread()
    made = await visitor.submit("/settings/tokens/", "/settings/tokens/", {"name": "Short", "scopes": "threads:read"})
    assert made.status == 200, made.text
    token = next(word for word in made.text.replace("<", " ").replace(">", " ").split() if word.startswith("zerg_"))
    program = Person(owner.stack, token.strip('"'), owner.http)
    assert (await program.call("GET", f"/api/threads/{thread['id']}")).status == 200
    refused = await program.call("POST", f"/api/threads/{thread['id']}/messages", {"content": "hello"})
    assert (refused.status, refused.error["code"]) == (403, "forbidden")
    async with program.socket(thread) as socket:
        await socket.frame("thread_history")
        await socket.send("message", content="hello")
        assert (await socket.frame("error"))["code"] == "forbidden"
        page = await visitor.page("/settings/tokens/")
        revoke = page.split("Short")[1].split('action="')[1].split('"')[0]
        assert (await visitor.submit("/settings/tokens/", revoke, {})).status in (302, 303)
        assert await socket.closed(seconds=10) == 4401
    assert (await program.call("GET", f"/api/threads/{thread['id']}")).status == 401
    assert await owner.messages(thread) == []
