"""What cannot be done is refused with a status, a code, a sentence and the field; and nothing of it stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flows.invariants import invariants
from tests.flows.people import Answer, Object, Person, unique
from tests.flows.visitor import Visitor

TABLES = ("agents", "agent_threads", "thread_messages", "runs_run", "triggers_schedule")
NOWHERE = 2_000_000_000


def counts(owner: Person) -> dict[str, int]:
    """How many rows of everything there are."""
    return {table: owner.stack.rows(f"SELECT COUNT(*) FROM {table}")[0][0] for table in TABLES}


def refused(answer: Answer, status: int, code: str, field: str) -> None:
    """Fails unless ``answer`` is an error with a sentence for people and, if one is to blame, the field's name."""
    assert (answer.status, answer.error["code"]) == (status, code), answer.text
    assert " " in answer.error["message"]
    assert set(answer.error["fields"]) == ({field} if field else set()), answer.error
    assert "NewMessage" not in answer.text
    assert len(answer.text) < 2_000


MESSAGES = [
    pytest.param({"content": ""}, 422, "empty_message", "content", id="empty"),
    pytest.param({"content": " \n\t "}, 422, "empty_message", "content", id="blank"),
    pytest.param({"content": "x" * 1024 * 1024}, 413, "too_large", "content", id="1 MB"),
    pytest.param({"content": "x" * 3 * 1024 * 1024}, 413, "too_large", "", id="3 MB"),
    pytest.param({"content": "a\x00b"}, 422, "bad_text", "content", id="NUL"),
    pytest.param({"content": "a\ud800b"}, 422, "bad_text", "content", id="half a character"),
    pytest.param({"content": "a", "client_message_id": "\udfff"}, 422, "bad_text", "client_message_id", id="bad key"),
    pytest.param({}, 422, "invalid", "content", id="nothing"),
    pytest.param({"content": 7}, 422, "invalid", "content", id="a number"),
    pytest.param({"content": "a", "role": "tool"}, 422, "invalid", "role", id="a role that is not theirs"),
    pytest.param(["content"], 422, "invalid", "body", id="a list"),
    pytest.param(b'{"content": "a"', 400, "invalid_json", "", id="half of an object"),
    pytest.param(b'{"content": NaN}', 400, "invalid_json", "", id="no number"),
    pytest.param(b"\xff\xfe", 400, "invalid_json", "", id="no text"),
    pytest.param(b"[" * 100_000, 400, "invalid_json", "", id="too deep"),
    pytest.param(b"", 422, "invalid", "body", id="no body"),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), MESSAGES)
async def test_a_message_that_cannot_be_stored_is_refused(
    owner: Person, body: Any, status: int, code: str, field: str
) -> None:
    thread = await owner.thread()
    before = counts(owner)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    for path in (f"/api/threads/{thread['id']}/messages", f"/api/agents/{thread['agent_id']}/messages"):
        refused(await owner.call("POST", path, raw=raw), status, code, field)

    assert counts(owner) == before
    assert (await owner.get(f"/api/threads/{thread['id']}"))["version"] == thread["version"]


async def test_the_socket_refuses_the_same_and_stays_open(owner: Person) -> None:
    thread = await owner.thread()
    before = counts(owner)

    async with owner.socket(thread) as socket:
        for text in ('{"type": "message"', '{"type": "message", "content": "a\\u0000b"}', '{"type": "dance"}', "[]"):
            await socket.send_text(text)
        await socket.send("message", content="")
        await socket.send("message", content="a\ud800b")
        await socket.send("message", content="a", client_message_id=7)
        await socket.send("cancel", run_id="none")
        await socket.send("ping", timestamp=1)
        await socket.frame("pong")
        codes = [frame["code"] for frame in socket.reader.of("error")]

    assert codes == [
        *("invalid_json", "bad_text", "unknown_type", "invalid_json"),
        *("empty_message", "bad_text", "bad_frame", "bad_frame"),
    ]
    assert counts(owner) == before


async def test_what_is_not_there_cannot_be_used(owner: Person) -> None:
    before = counts(owner)

    for method, path, body in (
        ("POST", "/api/threads", {"agent_id": NOWHERE}),
        ("POST", f"/api/agents/{NOWHERE}/run", {"input": "Hello"}),
        ("POST", f"/api/agents/{NOWHERE}/messages", {"content": "Hello"}),
        ("POST", f"/api/threads/{NOWHERE}/messages", {"content": "Hello"}),
        ("POST", f"/api/threads/{NOWHERE}/runs", {}),
        ("POST", "/api/schedules", {"agent_id": NOWHERE, "expression": "* * * * *"}),
        ("POST", f"/api/runs/{NOWHERE}/cancel", {}),
        ("GET", f"/api/agents/{10**40}", None),
    ):
        refused(await owner.call(method, path, body), 404, "not_found", "")

    assert counts(owner) == before


TIMINGS = [
    pytest.param({"expression": "0 0 30 2 *"}, "bad_schedule", "expression", id="a day that never comes"),
    pytest.param({"expression": "* * * *"}, "bad_schedule", "expression", id="four fields"),
    pytest.param({"expression": "every day"}, "bad_schedule", "expression", id="words"),
    pytest.param({"expression": "* * * * *", "timezone": "Europe/Atlantis"}, "bad_schedule", "timezone", id="no zone"),
    pytest.param({"expression": "2001-01-01T00:00", "kind": "once"}, "bad_schedule", "expression", id="over"),
    pytest.param({"expression": "5", "kind": "interval"}, "bad_schedule", "expression", id="too often"),
    pytest.param({"expression": "* * * * *", "kind": "daily"}, "invalid", "kind", id="no kind"),
    pytest.param({"expression": "* * * * *", "thread_mode": "bound"}, "bad_schedule", "thread_id", id="no thread"),
    pytest.param({"expression": ""}, "invalid", "expression", id="empty"),
]


@pytest.mark.parametrize(("timing", "code", "field"), TIMINGS)
async def test_a_schedule_that_cannot_come_due_is_refused(owner: Person, timing: Object, code: str, field: str) -> None:
    agent = await owner.agent()
    before = counts(owner)

    refused(await owner.call("POST", "/api/schedules", {"agent_id": agent["id"], **timing}), 422, code, field)

    assert counts(owner) == before
    assert (await owner.get(f"/api/agents/{agent['id']}"))["next_run_at"] is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"name": "A", "temperature": 3}, "temperature", id="too hot"),
        pytest.param({"name": "A", "tools": ["launch_rockets"]}, "tools", id="unknown tool"),
        pytest.param({"name": "A", "schedule": "0 0 30 2 *"}, "schedule", id="a schedule that never comes"),
        pytest.param({"name": "A\x00"}, "name", id="NUL"),
    ],
)
async def test_an_agent_that_cannot_be_is_refused(owner: Person, fields: Object, field: str) -> None:
    before = counts(owner)

    answer = await owner.call("POST", "/api/agents", fields)

    refused(answer, 422, answer.error["code"], field)
    assert counts(owner) == before


async def test_a_model_that_nobody_lists_is_named_in_the_thread(owner: Person, visitor: Visitor) -> None:
    agent = await owner.agent(model="missing-model")
    thread = await owner.thread(agent)

    run = await owner.ask(thread, unique())

    assert (run["status"], run["reason"], run["error"]["code"]) == ("failed", "provider_error", "unknown_model")
    assert "missing-model" in run["error"]["message"]
    (answer,) = await owner.answers(run["id"], thread)
    assert (answer["status"], answer["content"], answer["error"]) == ("failed", "", run["error"])
    assert "does not know the model missing-model" in await visitor.page(f"/threads/{thread['id']}/")
    shown = await owner.get(f"/api/agents/{agent['id']}")
    assert (shown["status"], shown["last_error"]) == ("error", run["error"]["message"])
    await owner.call("PATCH", f"/api/agents/{agent['id']}", {"model": "fake-1"})
    assert (await owner.ask(thread, unique()))["status"] == "succeeded"
    invariants(owner.stack)
