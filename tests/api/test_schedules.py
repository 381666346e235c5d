"""Schedules over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from runs.models import OutgoingHook, Run
from tests.api.conftest import Api, World, read, refused
from threads.models import Thread
from triggers.models import Occurrence, Schedule


def test_a_schedule_is_made_in_its_makers_time_zone(api: Api, owner: User, agent: Agent) -> None:
    User.objects.filter(pk=owner.pk).update(timezone="Asia/Tokyo")
    made = read(api.post("/api/schedules", {"agent_id": agent.pk, "expression": "0 7 * * *", "name": "News"}), 201)
    assert (made["timezone"], made["kind"], made["enabled"], made["thread_mode"]) == ("Asia/Tokyo", "cron", True, "own")
    assert made["next_run_at"].endswith("T22:00:00Z")
    assert read(api.get(f"/api/schedules/{made['id']}")) == made
    assert read(api.get(f"/api/agents/{agent.pk}"))["next_run_at"] == made["next_run_at"]


def test_a_schedule_can_be_an_interval_or_once(api: Api, agent: Agent) -> None:
    every = read(api.post("/api/schedules", {"agent_id": agent.pk, "kind": "interval", "expression": "900"}), 201)
    assert every["expression"] == "900"
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    once = read(api.post("/api/schedules", {"agent_id": agent.pk, "kind": "once", "expression": tomorrow}), 201)
    assert once["next_run_at"] is not None


def test_a_schedule_can_write_into_a_thread_of_mine(api: Api, world: World) -> None:
    body = {"agent_id": world.agent.pk, "expression": "0 7 * * *", "thread_mode": "bound", "thread_id": world.thread.pk}
    assert read(api.post("/api/schedules", body), 201)["thread_id"] == world.thread.pk


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expression", ""),
        ("expression", "whenever"),
        ("expression", "0 0 31 2 *"),
        ("expression", "x" * 300),
        ("timezone", "Mars/Olympus"),
        ("kind", "yearly"),
        ("thread_mode", "bound"),
        ("enabled", "yes"),
        ("overlap_policy", "panic"),
        ("name", "x" * 121),
        ("starts_at", "2026-03-29T07:00"),
        ("most_runs", 0),
        ("spread_seconds", -1),
        ("context_policy", "everything"),
        ("context_runs", 51),
        ("missed_limit", 0),
        ("failure_limit", -1),
        ("notify_policy", "sometimes"),
        ("notify_hook_id", "one"),
        ("watch_kind", "telnet"),
    ],
)
def test_a_bad_field_of_a_schedule_is_named_and_nothing_is_saved(
    field: str, value: Any, api: Api, world: World
) -> None:
    for response in (
        api.post("/api/schedules", {"agent_id": world.agent.pk, "expression": "0 7 * * *", field: value}),
        api.put(f"/api/schedules/{world.schedule.pk}", {field: value}),
    ):
        named = "thread_id" if field == "thread_mode" else field
        assert response.status_code == 422, response.content
        assert list(response.json()["error"]["fields"]) == [named]  # type: ignore[attr-defined]
    assert Schedule.objects.count() == 1
    world.schedule.refresh_from_db()
    assert (world.schedule.expression, world.schedule.timezone) == ("0 7 * * *", "UTC")


def test_every_policy_is_written_and_read(api: Api, owner: User, agent: Agent) -> None:
    hook = OutgoingHook.objects.create(owner=owner, name="Mine", url="https://x.example/hook")
    policies = {
        "starts_at": "2027-01-01T00:00:00Z",
        "ends_at": "2028-01-01T00:00:00Z",
        "most_runs": 100,
        "spread_seconds": 300,
        "thread_mode": "rolling",
        "roll_every": "runs",
        "roll_runs": 7,
        "context_policy": "last_runs",
        "context_runs": 4,
        "missed_policy": "all",
        "missed_limit": 5,
        "overlap_policy": "queue",
        "check_kind": "contains",
        "check_text": "all is well",
        "failure_limit": 3,
        "notify_policy": "changed",
        "notify_email": True,
        "notify_hook_id": hook.pk,
        "watch_kind": "json",
        "watch_url": "https://x.example/status.json",
        "watch_path": "build.state",
    }
    body = {"agent_id": agent.pk, "expression": "0 7 * * *", **policies}
    made = read(api.post("/api/schedules", body), 201)
    assert {name: made[name] for name in policies} == policies
    assert (made["runs_made"], made["failures_in_row"], made["back_off_until"]) == (0, 0, None)
    changed = read(api.patch(f"/api/schedules/{made['id']}", {"notify_hook_id": None, "most_runs": None}))
    assert (changed["notify_hook_id"], changed["most_runs"], changed["missed_limit"]) == (None, None, 5)


def test_somebody_elses_outgoing_webhook_is_not_found(api: Api, stranger: User, world: World) -> None:
    theirs = OutgoingHook.objects.create(owner=stranger, name="Theirs", url="https://x.example/hook")
    refused(api.patch(f"/api/schedules/{world.schedule.pk}", {"notify_hook_id": theirs.pk}), 404, "not_found")


def test_other_peoples_threads_and_agents_are_not_found(api: Api, stranger: User, world: World) -> None:
    body = {"agent_id": world.agent.pk, "expression": "0 7 * * *", "thread_mode": "bound"}
    foreign_agent = Agent.objects.create(workspace=stranger.home_workspace(), name="Theirs")
    foreign = Thread.objects.create(agent=foreign_agent, owner=stranger)
    refused(api.post("/api/schedules", {**body, "thread_id": foreign.pk}), 404, "not_found")
    refused(api.post("/api/schedules", {**body, "agent_id": foreign_agent.pk}), 404, "not_found")
    refused(api.patch(f"/api/schedules/{world.schedule.pk}", {"agent_id": foreign_agent.pk}), 404, "not_found")
    refused(api.patch(f"/api/schedules/{world.schedule.pk}", {"thread_id": foreign.pk}), 404, "not_found")


def test_a_thread_of_another_agent_is_refused(api: Api, world: World) -> None:
    body = {"thread_mode": "bound", "thread_id": world.queued.thread_id}
    assert "thread_id" in refused(api.put(f"/api/schedules/{world.schedule.pk}", body), 422, "bad_schedule")["fields"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_schedule_is_paused_and_resumed(method: str, api: Api, world: World) -> None:
    path = f"/api/schedules/{world.schedule.pk}"
    paused = read(api.call(method, path, {"enabled": False}))
    assert (paused["enabled"], paused["next_run_at"]) == (False, None)
    assert read(api.call(method, path, {"enabled": True}))["next_run_at"] is not None


def test_a_schedule_written_back_as_it_was_read_is_unchanged(api: Api, world: World) -> None:
    before = read(api.get(f"/api/schedules/{world.schedule.pk}"))
    after = read(api.put(f"/api/schedules/{world.schedule.pk}", before))
    assert after == before | {"updated_at": after["updated_at"]}


def test_a_schedule_goes_and_its_runs_stay(api: Api, world: World) -> None:
    assert api.delete(f"/api/schedules/{world.schedule.pk}").status_code == 204
    assert not Occurrence.objects.exists()
    assert Run.objects.filter(pk=world.ended.pk).exists()


def test_a_preview_says_when_in_words_and_times(api: Api) -> None:
    body = {"kind": "cron", "expression": "0 7 * * 1-5", "timezone": "Europe/Berlin", "after": "2026-03-27T00:00:00Z"}
    shown = read(api.post("/api/schedules/preview", body))
    assert shown["next"] == [
        "2026-03-27T06:00:00Z", "2026-03-30T05:00:00Z", "2026-03-31T05:00:00Z", "2026-04-01T05:00:00Z",
        "2026-04-02T05:00:00Z",
    ]  # fmt: skip
    assert "weekdays" in shown["sentence"]
    assert (shown["kind"], shown["expression"], shown["timezone"]) == ("cron", "0 7 * * 1-5", "Europe/Berlin")
    assert not Schedule.objects.exists()


def test_a_preview_reads_words(api: Api) -> None:
    body = {"words": "First Monday 9:00", "timezone": "Europe/Berlin", "after": "2026-03-27T00:00:00Z", "most_runs": 2}
    shown = read(api.post("/api/schedules/preview", body))
    assert (shown["kind"], shown["expression"], shown["runs_per_month"]) == ("cron", "0 9 * * 1#1", 1)
    assert shown["next"] == ["2026-04-06T07:00:00Z", "2026-05-04T07:00:00Z"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("words", "every quux at 9"),
        ("starts_at", "soon"),
        ("ends_at", "2001-01-01T00:00:00Z"),
        ("most_runs", 0),
        ("spread_seconds", -1),
        ("expression", "never"),
        ("expression", ""),
        ("timezone", "Nowhere"),
        ("kind", "moon"),
        ("after", "soon"),
        ("after", "2026-03-27T00:00:00"),
        ("after", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_preview_of_nonsense_names_the_field(field: str, value: Any, api: Api) -> None:
    response = api.post("/api/schedules/preview", {"expression": "0 7 * * *", "timezone": "UTC", field: value})
    assert response.status_code == 422, response.content
    assert list(response.json()["error"]["fields"]) == [field]  # type: ignore[attr-defined]


def test_a_schedule_is_run_now_beside_its_due_times(api: Api, world: World) -> None:
    before = read(api.get(f"/api/schedules/{world.schedule.pk}"))
    started = read(api.post(f"/api/schedules/{world.schedule.pk}/run"), 202)
    run = Run.objects.get(pk=started["run_id"])
    assert (run.status, run.thread_id, run.actor) == ("queued", started["thread_id"], api.user)
    after = read(api.get(f"/api/schedules/{world.schedule.pk}"))
    assert after["next_run_at"] == before["next_run_at"]


def test_the_ledger_is_newest_first(api: Api, world: World) -> None:
    now = timezone.now()
    for hours, outcome in ((3, "missed"), (2, "skipped")):
        when = now - timedelta(hours=hours)
        Occurrence.objects.create(
            schedule=world.schedule, scheduled_for=when, fired_at=now, outcome=outcome, reason="Because."
        )
    page = api.get(f"/api/schedules/{world.schedule.pk}/occurrences?limit=2")
    assert page["X-Total-Count"] == "3"
    assert [row["outcome"] for row in read(page)] == ["ran", "skipped"]
    assert read(page)[0]["run_id"] == world.ended.pk


def test_schedules_of_one_agent_are_listed_alone(api: Api, world: World) -> None:
    assert [one["id"] for one in read(api.get(f"/api/schedules?agent_id={world.agent.pk}"))] == [world.schedule.pk]
    assert read(api.get(f"/api/schedules?agent_id={world.busy_agent.pk}")) == []
