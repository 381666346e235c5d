"""Agents over the API."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from agents.catalog import ensure_built_in_providers
from agents.models import Agent, AgentVersion
from runs.models import Run
from tests.api.conftest import Api, World, end, read, refused
from threads.models import Thread
from triggers.models import Schedule


def test_an_agent_is_made_with_every_field(api: Api) -> None:
    fields = {
        "name": "Scout",
        "description": "Looks around",
        "system_instructions": "Be brief.",
        "task_instructions": "Look.",
        "model": "",
        "temperature": 0.5,
        "max_output_tokens": 500,
        "max_steps": 7,
        "memory_strategy": "window",
        "memory_window": 5,
        "tools": ["calculate", "current_time"],
        "config": {"team": ["news", 1, None, {"deep": 1.5}]},
    }
    made = read(api.post("/api/agents", fields), 201)
    assert {name: made[name] for name in fields} == fields
    assert (made["status"], made["last_run_at"], made["schedule"]) == ("idle", None, "")
    assert made["created_at"].endswith("Z")
    assert read(api.get(f"/api/agents/{made['id']}")) == made


def test_an_agent_belongs_to_the_first_workspace_of_its_maker(member_api: Api) -> None:
    made = read(member_api.post("/api/agents", {"name": "Mine"}), 201)
    assert Agent.objects.get(pk=made["id"]).workspace == member_api.user.home_workspace()


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_any_subset_changes_and_the_rest_stays(method: str, api: Api, agent: Agent) -> None:
    before = read(api.get(f"/api/agents/{agent.pk}"))
    after = read(api.call(method, f"/api/agents/{agent.pk}", {"temperature": 1, "description": "New"}))
    before |= {"temperature": 1.0, "description": "New", "updated_at": after["updated_at"]}
    assert after == before


def test_an_agent_written_back_as_it_was_read_is_unchanged(api: Api, agent: Agent) -> None:
    read(api.patch(f"/api/agents/{agent.pk}", {"schedule": "0 7 * * *"}))
    before = read(api.get(f"/api/agents/{agent.pk}"))
    after = read(api.put(f"/api/agents/{agent.pk}", before))
    assert after == before | {"updated_at": after["updated_at"]}
    assert AgentVersion.objects.filter(agent=agent).count() == 1


def test_a_change_is_a_new_version_by_its_author(member_api: Api, agent: Agent) -> None:
    read(member_api.patch(f"/api/agents/{agent.pk}", {"name": "Renamed"}))
    version = AgentVersion.objects.filter(agent=agent).first()
    assert version is not None
    assert (version.number, version.snapshot["name"], version.created_by) == (2, "Renamed", member_api.user)


def test_what_a_run_writes_on_the_agent_cannot_be_written_over_the_api(api: Api, agent: Agent) -> None:
    written = {"id": 5, "status": "error", "last_error": "x", "workspace": 9, "archived_at": "2026-01-01", "pulse": "f"}
    after = read(api.patch(f"/api/agents/{agent.pk}", {"name": "Same", **written}))
    assert (after["id"], after["status"], after["last_error"]) == (agent.pk, "idle", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", None),
        ("name", "x" * 121),
        ("name", 5),
        ("description", "x" * 301),
        ("system_instructions", "x" * 200_001),
        ("temperature", 2.1),
        ("temperature", -1),
        ("temperature", "warm"),
        ("temperature", True),
        ("max_output_tokens", 0),
        ("max_output_tokens", 2**70),
        ("max_steps", 0),
        ("max_steps", 201),
        ("max_steps", "7"),
        ("max_steps", 1.5),
        ("max_steps", None),
        ("memory_strategy", "elephant"),
        ("memory_window", 0),
        ("tools", ["hammer"]),
        ("tools", "calculate"),
        ("tools", [1]),
        ("config", []),
        ("config", {"x": "y" * 70_000}),
        ("schedule", "whenever"),
        ("schedule", "0 0 31 2 *"),
        ("schedule", "* * * * * *"),
        ("schedule", None),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_saved(field: str, value: Any, api: Api, agent: Agent) -> None:
    for response in (
        api.patch(f"/api/agents/{agent.pk}", {"description": "New", field: value}),
        api.post("/api/agents", {"name": "New", field: value}),
    ):
        error = response.json()["error"]  # type: ignore[attr-defined]
        assert response.status_code == 422, response.content
        assert next(iter(error["fields"])).split(".")[0] == field
    agent.refresh_from_db()
    assert agent.description == ""
    assert (Agent.objects.count(), Schedule.objects.count(), agent.version_number) == (1, 0, 1)


def test_an_agent_needs_a_name(api: Api) -> None:
    assert "name" in refused(api.post("/api/agents", {}), 422, "invalid")["fields"]


def test_a_tool_named_twice_is_kept_once(api: Api) -> None:
    assert read(api.post("/api/agents", {"name": "x", "tools": ["calculate"] * 3}), 201)["tools"] == ["calculate"]


def test_the_schedule_reads_and_writes_the_default_schedule(api: Api, owner: User, agent: Agent) -> None:
    User.objects.filter(pk=owner.pk).update(timezone="Asia/Tokyo")
    written = read(api.put(f"/api/agents/{agent.pk}", {"schedule": " 0 7 * * 1-5 "}))
    assert written["schedule"] == "0 7 * * 1-5"
    assert written["next_run_at"].endswith("22:00:00Z")
    schedule = Schedule.objects.get(agent=agent, owner=owner, is_default=True)
    assert (schedule.expression, schedule.timezone) == ("0 7 * * 1-5", "Asia/Tokyo")
    removed = read(api.put(f"/api/agents/{agent.pk}", {"schedule": ""}))
    assert (removed["schedule"], removed["next_run_at"]) == ("", None)
    assert not Schedule.objects.exists()


def test_another_cron_text_keeps_the_zone_that_was_chosen_for_it(api: Api, agent: Agent) -> None:
    read(api.patch(f"/api/agents/{agent.pk}", {"schedule": "0 7 * * *"}))
    Schedule.objects.update(timezone="Europe/Berlin")
    read(api.patch(f"/api/agents/{agent.pk}", {"schedule": "0 8 * * *"}))
    assert Schedule.objects.get().timezone == "Europe/Berlin"


def test_an_agent_goes_with_its_threads_runs_and_schedules(api: Api, world: World) -> None:
    assert api.delete(f"/api/agents/{world.agent.pk}").status_code == 204
    assert list(Agent.objects.all()) == [world.busy_agent]
    assert not Thread.objects.filter(pk=world.thread.pk).exists()
    assert not Schedule.objects.exists()
    assert list(Run.objects.all()) == [world.queued]
    refused(api.get(f"/api/agents/{world.agent.pk}"), 404, "not_found")


def test_an_agent_stays_while_one_of_its_runs_has_not_ended(api: Api, world: World) -> None:
    error = refused(api.delete(f"/api/agents/{world.busy_agent.pk}"), 409, "conflict")
    assert "Stop" in error["message"]
    end(world.queued)
    assert api.delete(f"/api/agents/{world.busy_agent.pk}").status_code == 204


def test_who_made_an_agent_may_delete_it_in_somebody_elses_workspace(member_api: Api, owner: User) -> None:
    workspace = owner.home_workspace()
    mine = Agent.objects.create(workspace=workspace, created_by=member_api.user, name="Mine")
    assert member_api.delete(f"/api/agents/{mine.pk}").status_code == 204


def test_messages_of_an_agent_are_those_of_the_active_thread(api: Api, agent: Agent) -> None:
    assert read(api.get(f"/api/agents/{agent.pk}/messages")) == []
    assert not Thread.objects.exists()
    sent = read(api.post(f"/api/agents/{agent.pk}/messages", {"content": "Hello"}), 201)
    thread = Thread.objects.get()
    assert (thread.active, thread.pk) == (True, sent["thread_id"])
    again = read(api.post(f"/api/agents/{agent.pk}/messages", {"content": "And again"}), 201)
    assert again["thread_id"] == thread.pk
    through_the_agent = api.get(f"/api/agents/{agent.pk}/messages")
    assert through_the_agent.content == api.get(f"/api/threads/{thread.pk}/messages").content
    assert through_the_agent["X-Total-Count"] == "2"


def test_a_refused_message_makes_no_thread(api: Api, agent: Agent) -> None:
    refused(api.post(f"/api/agents/{agent.pk}/messages", {"content": "  "}), 422, "empty_message")
    assert not Thread.objects.exists()


def test_an_agent_runs_its_task_in_the_active_thread(api: Api, agent: Agent) -> None:
    started = read(api.post(f"/api/agents/{agent.pk}/run"), 202)
    run = Run.objects.get(pk=started["run_id"])
    assert run.input_message is not None
    assert (run.input_message.content, run.trigger, run.status) == ("Look around and report.", "api", "queued")
    assert run.thread_id == started["thread_id"]
    assert run.thread.active


def test_an_agent_runs_what_it_is_told_in_the_thread_it_is_told(api: Api, agent: Agent, thread: Thread) -> None:
    started = read(api.post(f"/api/agents/{agent.pk}/run", {"input": "Look there.", "thread_id": thread.pk}), 202)
    assert started["thread_id"] == thread.pk
    assert read(api.get(f"/api/threads/{thread.pk}/messages"))[0]["content"] == "Look there."


def test_an_agent_does_not_run_in_another_agents_thread(api: Api, world: World) -> None:
    body = {"thread_id": world.queued.thread_id}
    assert (
        refused(api.post(f"/api/agents/{world.agent.pk}/run", body), 404, "not_found")["message"] == "Thread not found"
    )


def test_an_agent_without_a_task_says_what_to_do(api: Api) -> None:
    made = read(api.post("/api/agents", {"name": "Idle"}), 201)
    error = refused(api.post(f"/api/agents/{made['id']}/run", {}), 422, "nothing_to_do")
    assert "task instructions" in error["message"]


def test_archived_agents_leave_the_list(api: Api, agent: Agent) -> None:
    Agent.objects.filter(pk=agent.pk).update(archived_at="2026-01-01T00:00:00Z")
    assert read(api.get("/api/agents")) == []


def test_a_model_that_no_provider_offers_is_refused(api: Api, agent: Agent, settings: Settings) -> None:
    settings.LOCAL_MODEL_URL = "http://127.0.0.1:1/v1"
    ensure_built_in_providers()
    error = refused(api.patch(f"/api/agents/{agent.pk}", {"model": "gpt-nothing"}), 422, "unknown_model")
    assert "gpt-nothing" in error["fields"]["model"]
    refused(api.post("/api/agents", {"name": "x", "model": "gpt-nothing"}), 422, "unknown_model")
    (model,) = read(api.get("/api/models"))
    assert read(api.patch(f"/api/agents/{agent.pk}", {"model": model["name"]}))["model"] == model["name"]


def test_an_agent_can_be_written_before_any_provider_is_connected(api: Api) -> None:
    assert read(api.post("/api/agents", {"name": "x", "model": "gpt-later"}), 201)["model"] == "gpt-later"
