"""The manners of a thread's socket: what it says to whom, and when it hangs up."""

from __future__ import annotations

import contextlib

import aiohttp
import pytest

from tests.flows.people import Person, unique
from tests.flows.visitor import Visitor


async def test_a_ping_is_answered_with_its_own_timestamp(owner: Person) -> None:
    async with owner.socket(await owner.thread()) as socket:
        await socket.send("ping", timestamp=1234.5)
        await socket.send("ping", timestamp="as it was sent")
        assert (await socket.frame("pong", timestamp=1234.5)).keys() == {"type", "timestamp"}
        await socket.frame("pong", timestamp="as it was sent")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("{not json", "invalid_json"),
        ('["a list"]', "invalid_json"),
        ('"text"', "invalid_json"),
        ("[" * 5000, "invalid_json"),
        ('{"type": "shout"}', "unknown_type"),
        ("{}", "unknown_type"),
        ('{"type": "message"}', "bad_frame"),
        ('{"type": "message", "content": 7}', "bad_frame"),
        ('{"type": "message", "content": "  "}', "empty_message"),
        ('{"type": "message", "content": "a\\u0000b"}', "bad_text"),
        ('{"type": "message", "content": "\\ud83d"}', "bad_text"),
        ('{"type": "message", "content": "x", "client_message_id": ""}', "bad_frame"),
        ('{"type": "cancel", "run_id": 999999999}', "not_found"),
        ('{"type": "cancel", "run_id": "1"}', "bad_frame"),
        ('{"type": "resume", "version": null}', "bad_frame"),
    ],
)
async def test_a_frame_that_is_wrong_gets_a_sentence_and_the_socket_stays(owner: Person, sent: str, code: str) -> None:
    thread = await owner.thread()
    async with owner.socket(thread) as socket:
        await socket.send_text(sent)
        error = await socket.frame("error")
        assert error["code"] == code
        assert " " in error["error"]
        await socket.send("ping", timestamp=1)
        await socket.frame("pong")
    assert await owner.messages(thread) == []


async def test_bytes_are_read_as_text_is(owner: Person) -> None:
    async with owner.socket(await owner.thread()) as socket:
        await socket.connection.send_bytes(b'{"type": "ping", "timestamp": 1}')
        await socket.frame("pong", timestamp=1)
        await socket.connection.send_bytes(b"\xff\xfe")
        assert (await socket.frame("error"))["code"] == "invalid_json"


async def test_a_frame_over_64_kib_ends_the_socket_with_1009(owner: Person) -> None:
    thread = await owner.thread()
    async with owner.socket(thread) as socket:
        await socket.send("ping", timestamp="x" * (64 * 1024 - 100))
        await socket.frame("pong")
        await socket.send("message", content="x" * 64 * 1024)
        assert await socket.closed() == 1009
    async with owner.socket(thread) as socket:
        # It is refused by its first bytes: the reason may be lost to a client that is still sending the others.
        with contextlib.suppress(ConnectionError):
            await socket.connection.send_bytes(b"x" * 40_000_000)
        assert await socket.closed() in (1009, 1006)
    assert await owner.messages(thread) == []


async def test_a_history_of_any_length_arrives(owner: Person) -> None:
    thread = await owner.thread()
    for _ in range(20):
        await owner.say(thread, "ä" * 120_000, role="assistant")
    async with owner.socket(thread, max_msg_size=0) as socket:
        history = await socket.frame("thread_history")
        assert [len(row["content"]) for row in history["messages"]] == [120_000] * 20
        await socket.send("ping", timestamp=1)
        await socket.frame("pong")


async def test_more_than_twenty_frames_in_a_second_end_the_socket_with_4429(owner: Person) -> None:
    async with owner.socket(await owner.thread()) as socket:
        for number in range(20):
            await socket.send("ping", timestamp=number)
        await socket.frame("pong", timestamp=19)
    async with owner.socket(await owner.thread()) as socket:
        for number in range(21):
            await socket.send("ping", timestamp=number)
        assert await socket.closed() == 4429


@pytest.mark.parametrize("which", ["a stranger's", "a missing one", "one beyond every number"])
async def test_a_thread_that_is_not_yours_looks_like_one_that_is_not_there(
    owner: Person, stranger: Person, which: str
) -> None:
    thread = await owner.thread()
    number = {"a stranger's": thread["id"], "a missing one": 987_654_321, "one beyond every number": 10**18 - 1}[which]
    async with stranger.socket(number) as socket:
        assert await socket.closed() == 4404
    assert socket.reader.frames == [{"type": "error", "code": "not_found", "error": "Thread not found"}]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer zerg_wrong"}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer "}],
    ids=["nothing", "a wrong token", "another scheme", "an empty token"],
)
async def test_whoever_shows_no_credential_is_sent_away_with_4401(owner: Person, headers: dict[str, str]) -> None:
    thread = await owner.thread()
    async with owner.socket(thread, headers=headers) as socket:
        assert await socket.closed() == 4401
    assert [frame["code"] for frame in socket.reader.frames] == ["not_signed_in"]


async def test_a_token_may_come_as_a_subprotocol(owner: Person) -> None:
    thread = await owner.thread()
    async with owner.socket(thread, headers={}, protocols=("bearer", owner.token)) as socket:
        assert socket.connection.protocol == "bearer"
        await socket.frame("thread_history")
    async with owner.socket(thread, headers={}, protocols=("bearer", "zerg_wrong")) as socket:
        assert await socket.closed() == 4401


async def test_an_address_without_a_socket_refuses_the_handshake(owner: Person) -> None:
    for path in ("/api/threads/1/wss", "/ws", "/api/threads/x/ws"):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await owner.http.ws_connect(f"{owner.stack.base}{path}", headers=owner.headers)


FOREIGN = [
    None,
    "null",
    "https://localhost:{port}",
    "http://localhost",
    "http://localhost:1",
    "http://127.0.0.1:{port}",
    "http://localhost:{port}.evil.example",
    "http://localhost.evil.example:{port}",
    "http://evil.example/localhost:{port}",
    "http://evil.example",
    "http://localhost:{port}@evil.example",
    "http://localhost:{port}/",
    "ws://localhost:{port}",
    "file://",
    "",
    "http://notlocalhost:{port}",
    "http://localhost.:{port}",
    "http://xn--lcalhost-54a:{port}",
    "http://somebody@localhost:{port}",
    "http://localhost:{port}, http://evil.example",
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("path", ["/api/threads/{id}/ws", "/threads/{id}/live"])
async def test_a_session_opens_no_socket_from_another_origin(
    visitor: Visitor, owner: Person, origin: str | None, path: str
) -> None:
    thread = await owner.thread()
    sent = {} if origin is None else {"Origin": origin.format(port=owner.stack.port)}
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await visitor.connect(path.format(id=thread["id"]), sent)
    assert refused.value.status in (400, 403)


async def test_capitals_do_not_make_another_origin(visitor: Visitor, owner: Person) -> None:
    thread = await owner.thread()
    origin = {"Origin": f"HTTP://LocalHost:{owner.stack.port}"}
    connection = await visitor.connect(f"/api/threads/{thread['id']}/ws", origin)
    assert (await connection.receive_json())["type"] == "thread_history"
    await connection.close()


async def test_a_session_opens_a_socket_from_its_own_origin_and_speaks(visitor: Visitor, owner: Person) -> None:
    thread = await owner.thread()
    async with visitor.api_socket(thread["id"]) as socket:
        await socket.frame("thread_history")
        await socket.send("message", content=unique())
        received = await socket.frame("message_received")
        assert (await socket.run_ended(received["run_id"]))["status"] == "succeeded"


async def test_signing_out_ends_the_sockets_of_the_session(owner: Person) -> None:
    thread = await owner.thread()
    async with Visitor.of(owner.stack) as visitor:
        await visitor.sign_in()
        async with visitor.api_socket(thread["id"]) as socket:
            await socket.frame("thread_history")
            await visitor.sign_out()
            assert await socket.closed(seconds=10) == 4401
