"""Runs over the API."""

from __future__ import annotations

from typing import get_args

import pytest
from django.utils import timezone

from api.schemas import Reason
from runs.models import Run, RunStatus, Step
from tests.api.conftest import Api, World, doubt, end, read, refused


def test_a_run_shows_its_steps_with_tokens_and_cost(api: Api, world: World) -> None:
    Step.objects.create(
        run=world.ended, index=1, kind="model", name="m", status="succeeded", started_at=timezone.now(),
        input_tokens=3, output_tokens=2, cost_usd="0.00001500", input="secret", output="secret",
    )  # fmt: skip
    Step.objects.create(run=world.ended, index=0, kind="tool", name="t", started_at=timezone.now())
    run = read(api.get(f"/api/runs/{world.ended.pk}"))
    assert [step["index"] for step in run["steps"]] == [0, 1]
    tool, model = run["steps"]
    assert (tool["usage"], tool["cost_usd"]) == (None, None)
    assert model["usage"] == {"input_tokens": 3, "cached_tokens": 0, "output_tokens": 2, "estimated": False}
    assert model["cost_usd"] == "0.000015"
    assert "secret" not in str(run)


def test_a_failed_run_says_why(api: Api, world: World) -> None:
    end(world.ended, RunStatus.FAILED)
    Run.objects.filter(pk=world.ended.pk).update(error_code="refused_key", error_message="The key was refused.")
    run = read(api.get(f"/api/runs/{world.ended.pk}"))
    assert run["error"] == {"code": "refused_key", "message": "The key was refused."}


def test_runs_are_filtered_by_agent_thread_and_status(api: Api, world: World) -> None:
    def found(query: str) -> list[int]:
        return [run["id"] for run in read(api.get(f"/api/runs?{query}"))]

    assert found("") == [world.queued.pk, world.ended.pk]
    assert found("status=queued") == [world.queued.pk]
    assert found(f"agent_id={world.agent.pk}") == [world.ended.pk]
    assert found(f"thread_id={world.queued.thread_id}") == [world.queued.pk]
    assert found(f"agent_id={world.agent.pk}&status=queued") == []
    assert found("agent_id=987654") == []


@pytest.mark.parametrize(
    "query", ["status=done", "status=", "agent_id=x", "agent_id=0", f"thread_id={2**63}", "limit=501"]
)
def test_a_filter_that_makes_no_sense_is_named(query: str, api: Api) -> None:
    assert query.partition("=")[0] in refused(api.get(f"/api/runs?{query}"), 422, "invalid")["fields"]


def test_a_queued_run_is_cancelled_at_once(api: Api, world: World) -> None:
    run = read(api.post(f"/api/runs/{world.queued.pk}/cancel"), 202)
    assert (run["status"], run["reason"]) == ("cancelled", "stopped_by_user")


def test_a_running_run_is_asked_to_stop(api: Api, world: World) -> None:
    Run.objects.filter(pk=world.queued.pk).update(status=RunStatus.RUNNING)
    read(api.post(f"/api/runs/{world.queued.pk}/cancel"), 202)
    world.queued.refresh_from_db()
    assert world.queued.cancel_requested_at is not None


def test_a_run_that_has_ended_cannot_be_cancelled(api: Api, world: World) -> None:
    refused(api.post(f"/api/runs/{world.ended.pk}/cancel"), 409, "already_finished")


def test_a_retry_answers_the_same_message_in_a_new_run(api: Api, world: World) -> None:
    again = read(api.post(f"/api/runs/{world.ended.pk}/retry"), 202)
    assert again["thread_id"] == world.thread.pk
    run = Run.objects.get(pk=again["run_id"])
    assert (run.input_message_id, run.status) == (world.ended.input_message_id, "queued")


def test_a_run_under_way_cannot_be_retried(api: Api, world: World) -> None:
    refused(api.post(f"/api/runs/{world.queued.pk}/retry"), 409, "conflict")


def test_a_retry_waits_for_the_thread_to_be_free(api: Api, world: World) -> None:
    read(api.post(f"/api/runs/{world.ended.pk}/retry"), 202)
    refused(api.post(f"/api/runs/{world.ended.pk}/retry"), 409, "conflict")


def test_a_call_in_doubt_is_settled_once(api: Api, world: World) -> None:
    doubt(world.ended)
    started = read(api.post(f"/api/runs/{world.ended.pk}/mark-done"), 202)
    assert (started["thread_id"], started["run_id"]) == (world.thread.pk, Run.objects.latest("pk").pk)
    rows = read(api.get(f"/api/threads/{world.thread.pk}/messages"))
    assert [row["role"] for row in rows] == ["user", "assistant", "tool", "assistant", "tool"]
    assert (rows[4]["parent_id"], rows[4]["content"]) == (rows[1]["id"], "A person confirmed that this was done.")
    assert rows[2]["error"]["code"] == "may_have_happened"
    end(Run.objects.get(pk=started["run_id"]))
    refused(api.post(f"/api/runs/{world.ended.pk}/mark-done"), 409, "conflict")
    read(api.post(f"/api/runs/{world.ended.pk}/retry"), 202)


def test_a_retry_of_a_call_in_doubt_begins_before_its_result(api: Api, world: World) -> None:
    doubt(world.ended)
    rows = read(api.get(f"/api/threads/{world.thread.pk}/messages"))
    started = read(api.post(f"/api/runs/{world.ended.pk}/retry"), 202)
    world.thread.refresh_from_db()
    assert world.thread.leaf_id == rows[1]["id"]
    # Taken back before it began, it leaves the thread as it was.
    read(api.post(f"/api/runs/{started['run_id']}/cancel"), 202)
    world.thread.refresh_from_db()
    assert world.thread.leaf_id == rows[3]["id"]
    read(api.post(f"/api/runs/{world.ended.pk}/mark-done"), 202)


def test_the_document_names_every_reason() -> None:
    assert list(get_args(Reason)) == Run.Reason.values
