"""Messages over the API: what is stored, what runs, and how the answer can be heard."""

from __future__ import annotations

import pytest
from django.http import StreamingHttpResponse

from accounts.models import User
from runs.models import Run
from tests.api.conftest import Api, World, end, read, refused
from threads.models import Thread, ThreadMessage
from threads.services import add_message, change

TEXT = "Hëllo 🌍\n\n**bold** <script>alert(1)</script>"


def test_a_users_message_is_stored_and_starts_its_run_at_once(api: Api, thread: Thread) -> None:
    sent = read(api.post(f"/api/threads/{thread.pk}/messages", {"role": "user", "content": TEXT}), 201)
    run = Run.objects.get(pk=sent["run_id"])
    assert (sent["content"], sent["role"], sent["status"], sent["source"]) == (TEXT, "user", "complete", "api")
    assert (run.thread_id, run.trigger, run.status, run.actor) == (thread.pk, "api", "queued", api.user)
    assert read(api.get(f"/api/threads/{thread.pk}/messages")) == [sent]


def test_a_message_sent_while_the_agent_works_is_queued_last(api: Api, world: World) -> None:
    path = f"/api/threads/{world.queued.thread_id}/messages"
    waiting = read(api.post(path, {"content": "Later"}), 201)
    assert (waiting["status"], waiting["seq"]) == ("queued", None)
    assert [one["content"] for one in read(api.get(path))] == ["Hello", "Later"]


def test_the_same_key_gives_the_same_answer_and_one_run(api: Api, thread: Thread) -> None:
    body = {"role": "user", "content": "Once", "client_message_id": "k-1"}
    first, second = (api.post(f"/api/threads/{thread.pk}/messages", body) for _ in range(2))
    assert read(first, 201) == read(second, 201)
    assert (Run.objects.count(), ThreadMessage.objects.count()) == (1, 1)


def test_a_key_used_for_another_message_is_a_conflict(api: Api, thread: Thread) -> None:
    path = f"/api/threads/{thread.pk}/messages"
    read(api.post(path, {"content": "One", "client_message_id": "k"}), 201)
    error = refused(api.post(path, {"content": "Two", "client_message_id": "k"}), 409, "key_reused")
    assert "client_message_id" in error["fields"]
    refused(api.post(path, {"role": "system", "content": "One", "client_message_id": "k"}), 409, "key_reused")
    assert ThreadMessage.objects.count() == 1


def test_a_key_of_a_log_line_is_not_taken_for_a_message(api: Api, thread: Thread) -> None:
    path = f"/api/threads/{thread.pk}/messages"
    read(api.post(path, {"role": "assistant", "content": "One", "client_message_id": "k"}), 201)
    refused(api.post(path, {"role": "user", "content": "One", "client_message_id": "k"}), 409, "key_reused")
    assert not Run.objects.exists()


def test_the_same_key_in_another_thread_is_another_message(api: Api, world: World) -> None:
    for thread_id in (world.thread.pk, world.queued.thread_id):
        read(api.post(f"/api/threads/{thread_id}/messages", {"content": "x", "client_message_id": "k"}), 201)


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_a_log_line_is_stored_without_a_run(role: str, api: Api, thread: Thread) -> None:
    path = f"/api/threads/{thread.pk}/messages"
    body = {"role": role, "content": "Deployed 1.2", "client_message_id": "deploy"}
    line = read(api.post(path, body), 201)
    assert (line["role"], line["source"], line["run_id"], line["status"]) == (role, "api", None, "complete")
    assert read(api.post(path, body), 201) == line
    assert not Run.objects.exists()


def test_a_log_line_needs_its_scope_and_a_message_its_own(owner: User, thread: Thread) -> None:
    path = f"/api/threads/{thread.pk}/messages"
    error = refused(Api(owner, ("threads:write",)).post(path, {"role": "system", "content": "x"}), 403, "forbidden")
    assert "threads:log" in error["message"]
    error = refused(Api(owner, ("threads:log",)).post(path, {"role": "user", "content": "x"}), 403, "forbidden")
    assert "threads:write" in error["message"]
    read(Api(owner, ("threads:log",)).post(path, {"role": "system", "content": "x"}), 201)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": ""}, 422, "empty_message"),
        ({"content": " \n\t"}, 422, "empty_message"),
        ({}, 422, "invalid"),
        ({"content": None}, 422, "invalid"),
        ({"content": 5}, 422, "invalid"),
        ({"content": ["x"]}, 422, "invalid"),
        ({"content": "x", "role": "tool"}, 422, "invalid"),
        ({"content": "x", "role": "boss"}, 422, "invalid"),
        ({"content": "x", "client_message_id": ""}, 422, "invalid"),
        ({"content": "x", "client_message_id": "k" * 129}, 422, "invalid"),
        ({"content": "x", "stream": "yes"}, 422, "invalid"),
        ({"content": "x" * (256 * 1024 + 1)}, 413, "too_large"),
        ({"content": "a\x00b"}, 422, "bad_text"),
        ({"content": "a\ud800b"}, 422, "bad_text"),
    ],
)
def test_a_message_that_cannot_be_stored_is_refused_in_words(
    body: dict[str, object], status: int, code: str, api: Api, thread: Thread
) -> None:
    refused(api.post(f"/api/threads/{thread.pk}/messages", body), status, code)
    assert (ThreadMessage.objects.count(), Run.objects.count()) == (0, 0)


def test_the_longest_message_fits(api: Api, thread: Thread) -> None:
    longest = "ä" * (128 * 1024)
    assert read(api.post(f"/api/threads/{thread.pk}/messages", {"content": longest}), 201)["content"] == longest


def test_messages_after_a_version_are_those_that_changed_since(api: Api, world: World) -> None:
    path = f"/api/threads/{world.thread.pk}/messages"
    seen = read(api.get(f"/api/threads/{world.thread.pk}"))["version"]
    assert read(api.get(f"{path}?after_version={seen}")) == []
    new = read(api.post(path, {"role": "system", "content": "New"}), 201)
    found = api.get(f"{path}?after_version={seen}")
    assert (read(found), found["X-Total-Count"]) == ([new], "1")
    assert len(read(api.get(f"{path}?after_version=0"))) == 2


def test_messages_are_in_order_and_paged(api: Api, thread: Thread, owner: User) -> None:
    with change(thread.pk) as locked:
        for number in range(12):
            add_message(locked, role="user", content=f"{number}", author=owner)
    path = f"/api/threads/{thread.pk}/messages"
    page = api.get(f"{path}?skip=5&limit=3")
    assert ([one["content"] for one in read(page)], page["X-Total-Count"]) == (["5", "6", "7"], "12")
    assert [one["seq"] for one in read(api.get(path))] == list(range(1, 13))


@pytest.mark.parametrize(
    ("accept", "stream", "content_type"),
    [
        ("text/plain", False, "text/plain; charset=utf-8"),
        ("*/*", True, "text/plain; charset=utf-8"),
        ("application/json", True, "text/plain; charset=utf-8"),
        ("text/event-stream", False, "text/event-stream"),
        ("text/event-stream", True, "text/event-stream"),
        ("text/event-stream, */*;q=0.1", False, "text/event-stream"),
    ],
)
def test_the_answer_is_streamed_when_asked_for(
    accept: str, stream: bool, content_type: str, api: Api, thread: Thread
) -> None:
    response = api.post(f"/api/threads/{thread.pk}/messages", {"content": "Hi", "stream": stream}, Accept=accept)
    run = Run.objects.get()
    assert isinstance(response, StreamingHttpResponse)
    assert (response.status_code, response["Content-Type"]) == (200, content_type)
    assert (response["Cache-Control"], response["X-Accel-Buffering"]) == ("no-store", "no")
    assert (response["Zerg-Run-Id"], response["Zerg-Message-Id"]) == (str(run.pk), str(run.input_message_id))


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", "application/json, text/plain, */*", "text/html, */*;q=0.8", "image/png"]
)
def test_the_answer_is_json_unless_a_stream_is_named(accept: str, api: Api, thread: Thread) -> None:
    read(api.post(f"/api/threads/{thread.pk}/messages", {"content": "Hi"}, Accept=accept), 201)


def test_a_log_line_is_never_streamed(api: Api, thread: Thread) -> None:
    body = {"role": "system", "content": "x", "stream": True}
    read(api.post(f"/api/threads/{thread.pk}/messages", body, Accept="text/event-stream"), 201)


def test_a_thread_is_followed_as_events(api: Api, world: World, stranger_api: Api) -> None:
    path = f"/api/threads/{world.thread.pk}/messages"
    response = api.get(path, Accept="text/event-stream")
    assert isinstance(response, StreamingHttpResponse)
    assert response["Content-Type"] == "text/event-stream"
    refused(stranger_api.get(path, Accept="text/event-stream"), 404, "not_found")


def test_a_streamed_refusal_is_json(api: Api, thread: Thread) -> None:
    response = api.post(f"/api/threads/{thread.pk}/messages", {"content": ""}, Accept="text/event-stream")
    refused(response, 422, "empty_message")


def test_a_run_on_the_thread_as_it_stands(api: Api, world: World) -> None:
    path = f"/api/threads/{world.thread.pk}"
    started = read(api.post(f"{path}/runs"), 202)
    assert started["thread_id"] == world.thread.pk
    assert [run["id"] for run in read(api.get(f"{path}/runs"))] == [started["run_id"], world.ended.pk]
    assert len(read(api.get(f"{path}/messages"))) == 1


def test_an_empty_thread_has_nothing_to_run_on(api: Api, thread: Thread) -> None:
    error = refused(api.post(f"/api/threads/{thread.pk}/runs"), 422, "nothing_to_do")
    assert "Send a message" in error["message"]


def test_a_message_to_a_thread_that_was_answered_runs_again(api: Api, world: World) -> None:
    sent = read(api.post(f"/api/threads/{world.thread.pk}/messages", {"content": "More"}), 201)
    assert sent["run_id"] != end(world.ended).pk
