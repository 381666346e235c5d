"""Threads over the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.models import Agent
from tests.api.conftest import Api, World, end, read, refused
from threads.models import Thread, ThreadMessage


def test_a_thread_is_made_active_and_the_others_stop_being_it(api: Api, agent: Agent) -> None:
    first = read(api.post("/api/threads", {"agent_id": agent.pk, "title": " First "}), 201)
    assert (first["title"], first["active"], first["thread_type"], first["memory_strategy"]) == (
        "First", True, "chat", "buffer",
    )  # fmt: skip
    second = read(api.post("/api/threads/", {"agent_id": agent.pk, "active": False}), 201)
    assert (second["active"], second["title"]) == (False, "")
    read(api.put(f"/api/threads/{second['id']}", {"active": True}))
    assert [read(api.get(f"/api/threads/{one['id']}"))["active"] for one in (first, second)] == [False, True]


def test_each_person_has_an_active_thread_of_their_own(api: Api, member_api: Api, agent: Agent) -> None:
    mine = read(api.post("/api/threads", {"agent_id": agent.pk}), 201)
    read(member_api.post("/api/threads", {"agent_id": agent.pk}), 201)
    assert read(api.get(f"/api/threads/{mine['id']}"))["active"] is True


def test_a_thread_is_made_with_its_notes_and_memory(api: Api, agent: Agent) -> None:
    body = {"agent_id": agent.pk, "agent_state": {"step": 1}, "memory_strategy": "window"}
    made = read(api.post("/api/threads", body), 201)
    assert (made["agent_state"], made["memory_strategy"]) == ({"step": 1}, "window")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_any_subset_of_a_thread_changes_and_counts_as_a_version(method: str, api: Api, thread: Thread) -> None:
    before = read(api.get(f"/api/threads/{thread.pk}"))
    after = read(api.call(method, f"/api/threads/{thread.pk}", {"agent_state": {"a": 1}, "memory_strategy": "none"}))
    changed = {"agent_state": {"a": 1}, "memory_strategy": "none", "version": before["version"] + 1}
    assert after == before | changed | {"updated_at": after["updated_at"]}


def test_nothing_sent_is_nothing_changed(api: Api, thread: Thread) -> None:
    before = read(api.get(f"/api/threads/{thread.pk}"))
    assert read(api.put(f"/api/threads/{thread.pk}", {})) == before


def test_a_title_given_over_the_api_is_final(api: Api, thread: Thread) -> None:
    read(api.patch(f"/api/threads/{thread.pk}", {"title": "Mine"}))
    thread.refresh_from_db()
    assert thread.title_by_person


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "x" * 201),
        ("title", None),
        ("active", "yes"),
        ("active", None),
        ("agent_state", [1]),
        ("agent_state", {"x": "y" * 70_000}),
        ("memory_strategy", "elephant"),
    ],
)
def test_a_bad_field_of_a_thread_is_named(field: str, value: Any, api: Api, thread: Thread) -> None:
    for response in (
        api.put(f"/api/threads/{thread.pk}", {field: value}),
        api.post("/api/threads", {"agent_id": thread.agent_id, field: value}),
    ):
        assert next(iter(refused(response, 422, "invalid")["fields"])).split(".")[0] == field
    assert Thread.objects.count() == 1


@pytest.mark.parametrize("agent_id", [987_654, 0, -1, 2**63, 2**200])
def test_a_thread_with_an_agent_that_is_not_there_is_404(agent_id: int, api: Api) -> None:
    error = refused(api.post("/api/threads", {"agent_id": agent_id, "title": "x"}), 404, "not_found")
    assert error["message"] == "Agent not found"


@pytest.mark.parametrize("body", [{}, {"agent_id": None}, {"agent_id": "1"}, {"agent_id": True}, [], "x", 5, None])
def test_a_thread_needs_an_agent(body: Any, api: Api) -> None:
    refused(api.post("/api/threads", json.dumps(body)), 422, "invalid")


def test_threads_of_one_agent_are_listed_alone(api: Api, world: World) -> None:
    found = read(api.get(f"/api/threads?agent_id={world.agent.pk}"))
    assert [one["id"] for one in found] == [world.thread.pk]
    assert read(api.get("/api/threads?agent_id=987654")) == []


def test_threads_come_with_the_most_recently_updated_first(api: Api, world: World) -> None:
    order = [one["id"] for one in read(api.get("/api/threads"))]
    read(api.patch(f"/api/threads/{order[-1]}", {"title": "Touched"}))
    assert [one["id"] for one in read(api.get("/api/threads"))] == [order[-1], *order[:-1]]


def test_a_thread_goes_with_its_messages(api: Api, world: World) -> None:
    assert api.delete(f"/api/threads/{world.thread.pk}").status_code == 204
    assert not ThreadMessage.objects.filter(thread_id=world.thread.pk).exists()
    refused(api.get(f"/api/threads/{world.thread.pk}/messages"), 404, "not_found")
    refused(api.delete(f"/api/threads/{world.thread.pk}"), 404, "not_found")


def test_a_thread_stays_while_its_run_has_not_ended(api: Api, world: World) -> None:
    path = f"/api/threads/{world.queued.thread_id}"
    assert "Stop" in refused(api.delete(path), 409, "conflict")["message"]
    end(world.queued)
    assert api.delete(path).status_code == 204
