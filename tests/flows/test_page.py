"""A person at a thread's page: the form sends, the page's socket tells, and both agree with a page loaded anew."""

from __future__ import annotations

from tests.flows.people import Fake, Object, Person, unique
from tests.flows.visitor import Visitor, blocks_of, place_of

MARKDOWN = "[[script: list rate=60]]"


async def send(visitor: Visitor, thread: Object, text: str, **fields: str) -> Object:
    """Sends through the page's form as its script does; gives ``{run_id, message_id}``."""
    page, action = f"/threads/{thread['id']}/", f"/threads/{thread['id']}/messages/"
    answer = await visitor.submit(page, action, {"content": text, **fields}, {"HX-Request": "true"})
    assert answer.status == 201, answer.text
    sent: Object = answer.json
    return sent


async def test_what_the_form_sends_is_answered_on_the_pages_socket(visitor: Visitor, owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    text = unique(MARKDOWN)

    async with visitor.page_socket(thread["id"]) as socket:
        await socket.of_kind("ready")
        sent = await send(visitor, thread, text, client_message_id="mine")
        own = await socket.put(f"m-{sent['message_id']}")
        (answer,) = await owner.answers((await owner.ended(sent["run_id"]))["id"], thread)
        await socket.settled(answer["id"])
        await socket.until(lambda: {"t": "say", "text": "Scout replied"} in socket.frames, "it is said aloud")

    assert (own["at"], own["c"]) == ("log", "mine")
    assert socket.puts(f"m-{answer['id']}")[0]["at"] == "log"
    assert len([frame for frame in socket.frames if frame["t"] == "tail"]) > 3
    page = await visitor.page(f"/threads/{thread['id']}/")
    assert socket.html(answer["id"]) == "".join(blocks_of(page, answer["id"]))
    assert place_of(page) == {key: socket.last_of_kind("at")[key] for key in ("v", "leaf")}
    assert answer["content"] == await fake.sent(await fake.asked_once(text))
    assert socket.puts("queue")
    assert socket.puts("t-state")


async def test_a_page_without_a_socket_asks_and_gets_the_same(visitor: Visitor, owner: Person) -> None:
    thread = await owner.thread()
    before = place_of(await visitor.page(f"/threads/{thread['id']}/"))
    sent = await send(visitor, thread, unique(MARKDOWN))
    await owner.ended(sent["run_id"])
    (answer,) = await owner.answers(sent["run_id"], thread)

    synced = (await visitor.see(f"/threads/{thread['id']}/sync/?v={before['v']}")).json
    async with visitor.page_socket(thread["id"], **before) as socket:
        ready = await socket.of_kind("ready")

    asked = [(frame["t"], frame.get("id"), frame.get("h")) for frame in synced["frames"]]
    told = [(frame["t"], frame.get("id"), frame.get("h")) for frame in socket.frames if frame["t"] != "ready"]
    assert asked == told
    assert ready["v"] == synced["v"]
    page = await visitor.page(f"/threads/{thread['id']}/")
    article = socket.puts(f"m-{answer['id']}")[0]["h"]
    assert article in page
    assert (await visitor.see(f"/threads/{thread['id']}/sync/?v={synced['v']}&leaf={answer['id']}")).json[
        "frames"
    ] == []


async def test_a_page_that_lost_its_blocks_says_how_many_it_has(visitor: Visitor, owner: Person) -> None:
    thread = await owner.thread()
    async with visitor.page_socket(thread["id"]) as socket:
        sent = await send(visitor, thread, unique("[[script: list rate=15]]"))
        tail = await socket.until(lambda: [f for f in socket.frames if f["t"] == "tail" and f["from"] > 0], "a block")
        message = tail[0]["m"]
        await socket.connection.send_json({"op": "sync", "m": message, "have": 0})
        seen = len(socket.frames)
        again = await socket.until(
            lambda: [f for f in socket.frames[seen:] if f["t"] == "tail" and f["from"] == 0], "all blocks again"
        )
        assert len(again[0]["b"]) >= tail[0]["from"]
        await socket.connection.send_json({"op": "ping"})
        await socket.of_kind("pong")
        await owner.ended(sent["run_id"])
        shown = await socket.settled(message)
    assert shown == "".join(blocks_of(await visitor.page(f"/threads/{thread['id']}/"), message))


async def test_a_page_loaded_in_the_middle_goes_on_from_there(visitor: Visitor, owner: Person) -> None:
    thread = await owner.thread()
    sent = await send(visitor, thread, unique("[[script: list rate=25]]"))
    async with owner.socket(thread) as other:
        await other.text_with("**bold**")
        async with visitor.page_socket(thread["id"]) as socket:
            await owner.ended(sent["run_id"])
            (answer,) = await owner.answers(sent["run_id"], thread)
            assert any(frame["t"] == "tail" and frame["from"] > 0 for frame in socket.frames)
            shown = await socket.settled(answer["id"])
    assert shown == "".join(blocks_of(await visitor.page(f"/threads/{thread['id']}/"), answer["id"]))


async def test_a_form_without_its_token_changes_nothing(visitor: Visitor, owner: Person) -> None:
    thread = await owner.thread()
    for token in ("", "x" * 64):
        answer = await visitor.submit_with(token, f"/threads/{thread['id']}/messages/", {"content": "hello"})
        assert answer.status == 403
    headers = {"X-CSRFToken": "x" * 64, "Origin": visitor.origin}
    address = f"{visitor.origin}/api/threads/{thread['id']}/messages"
    async with visitor.http.post(address, json={"content": "hello"}, headers=headers) as refused:
        assert refused.status == 403
    assert await owner.messages(thread) == []


async def test_without_script_the_form_leads_back_to_the_message(visitor: Visitor, owner: Person) -> None:
    thread = await owner.thread()
    answer = await visitor.submit(f"/threads/{thread['id']}/", f"/threads/{thread['id']}/messages/", {"content": "Hi"})
    assert answer.status == 303
    (question, *_) = await owner.messages(thread)
    assert answer.headers["Location"] == f"/threads/{thread['id']}/#m-{question['id']}"
    await owner.ended(question["run_id"])
    assert "You said: Hi" in await visitor.page(f"/threads/{thread['id']}/")
