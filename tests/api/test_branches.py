"""Branches over the API: one is read by any of its messages, and begun by saying what is followed."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from runs.models import Run
from tests.api.conftest import Api, end, read, refused
from tests.threads.conversations import talk
from threads.models import Thread
from threads.services import add_message, change

Rows = list[dict[str, Any]]


def contents(rows: Rows) -> list[str]:
    return [row["content"] for row in rows]


@pytest.fixture
def path(thread: Thread, owner: User) -> str:
    """The messages of a thread in which two questions were answered."""
    talk(thread, owner, "one", "first")
    talk(thread, owner, "two", "second")
    return f"/api/threads/{thread.pk}/messages"


def sent(api: Api, path: str, **body: Any) -> dict[str, Any]:
    """A message, after whose run the thread is at rest."""
    found: dict[str, Any] = read(api.post(path, body), 201)
    end(Run.objects.get(pk=found["run_id"]))
    return found


def test_what_follows_another_message_than_the_last_is_a_branch_and_the_thread_goes_on_with_it(
    api: Api, thread: Thread, path: str
) -> None:
    one, first, two, second = read(api.get(path))
    again = sent(api, path, content="two, in other words", leaf=two["parent_id"])
    assert (again["parent_id"], again["seq"]) == (first["id"], 5)
    assert read(api.get(f"/api/threads/{thread.pk}"))["leaf_id"] == again["id"]
    assert contents(read(api.get(path))) == ["one", "first", "two", "second", "two, in other words"]

    old, new = ["one", "first", "two", "second"], ["one", "first", "two, in other words"]
    assert contents(read(api.get(f"{path}?leaf={two['id']}"))) == old
    assert contents(read(api.get(f"{path}?leaf={second['id']}"))) == old
    assert contents(read(api.get(f"{path}?leaf={again['id']}"))) == new
    assert contents(read(api.get(f"{path}?leaf={one['id']}"))) == new, "on to what the thread goes on with"
    assert contents(read(api.get(f"{path}?from={two['id']}"))) == ["one", "first", "two"]
    page = api.get(f"{path}?leaf={two['id']}&skip=1&limit=2")
    assert (contents(read(page)), page["X-Total-Count"]) == (["first", "two"], "4")

    beginning = sent(api, path, content="anew", leaf=0)
    assert (beginning["parent_id"], contents(read(api.get(f"{path}?leaf={beginning['id']}")))) == (None, ["anew"])
    following = sent(api, path, content="and on", leaf=beginning["id"])
    assert following["parent_id"] == beginning["id"]


def test_the_same_key_gives_one_message_on_its_branch(api: Api, thread: Thread, path: str) -> None:
    body = {"content": "again", "leaf": read(api.get(path))[1]["id"], "client_message_id": "k"}
    first, second = (read(api.post(path, body), 201) for _ in range(2))
    assert first == second
    assert thread.messages.count() == 5


def test_a_branch_of_a_message_that_is_not_there_is_not_found(api: Api, path: str, stranger: User) -> None:
    for query in ("leaf=987654", "from=987654"):
        refused(api.get(f"{path}?{query}"), 404, "not_found")
    refused(api.post(path, {"content": "x", "leaf": 987_654}), 404, "not_found")
    refused(Api(stranger).get(f"{path}?leaf=1"), 404, "not_found")
    assert not Run.objects.exists()


@pytest.mark.parametrize("leaf", [-1, "1", 1.5, 2**63, True])
def test_what_is_no_message_is_refused_by_name(api: Api, path: str, leaf: Any) -> None:
    assert "leaf" in str(refused(api.post(path, {"content": "x", "leaf": leaf}), 422, "invalid")["fields"])


def test_a_branch_begins_after_something_whole_and_lines_for_the_record_make_none(
    api: Api, thread: Thread, path: str
) -> None:
    with change(thread.pk) as locked:
        calls = [{"id": "call_1", "name": "search", "arguments": "{}"}]
        asking = add_message(locked, role="assistant", source="agent", tool_calls=calls)
        add_message(locked, role="tool", source="tool", tool_call_id="call_1", name="search")
    refused(api.post(path, {"content": "x", "leaf": asking.pk}), 409, "conflict")
    refused(api.post(path, {"role": "system", "content": "x", "leaf": 0}), 422, "invalid")
    refused(api.get(f"{path}?leaf={asking.pk}&after_version=1"), 422, "invalid")
    assert not Run.objects.exists()
