"""Who gets what on every operation. An operation that is not in the table fails the test."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from ninja.operation import Operation

from api.api import api as ninja_api
from runs.models import Run
from runs.services import start_run
from tests.api.conftest import Api, World, doubt

MISSING = 987_654
MESSAGE = {"role": "user", "content": "Hi"}
SCHEDULE = {"agent_id": "AGENT", "expression": "0 8 * * *"}
WEBHOOK = {"agent_id": "AGENT", "name": "New", "prompt": "Look: {{payload}}"}
TIMING = {"expression": "0 8 * * *"}
SAVED: Any = {"format": "zerg-thread", "title": "Saved", "messages": []}

# (method, path): what the owner, a member of the same workspace and a stranger get; the body.
MATRIX: dict[tuple[str, str], tuple[int, int, int, Any]] = {
    ("GET", "/agents"): (200, 200, 200, None),
    ("POST", "/agents"): (201, 201, 201, {"name": "New"}),
    ("GET", "/agents/{agent_id}"): (200, 200, 404, None),
    ("PUT", "/agents/{agent_id}"): (200, 200, 404, {"name": "Other"}),
    ("PATCH", "/agents/{agent_id}"): (200, 200, 404, {"name": "Other"}),
    ("DELETE", "/agents/{agent_id}"): (204, 403, 404, None),
    ("GET", "/agents/{agent_id}/messages"): (200, 200, 404, None),
    ("POST", "/agents/{agent_id}/messages"): (201, 201, 404, MESSAGE),
    ("POST", "/agents/{agent_id}/run"): (202, 202, 404, None),
    ("GET", "/threads"): (200, 200, 200, None),
    ("POST", "/threads"): (201, 201, 404, {"agent_id": "AGENT", "title": "New"}),
    ("GET", "/threads/{thread_id}"): (200, 404, 404, None),
    ("PUT", "/threads/{thread_id}"): (200, 404, 404, {"title": "Other"}),
    ("PATCH", "/threads/{thread_id}"): (200, 404, 404, {"title": "Other"}),
    ("DELETE", "/threads/{thread_id}"): (204, 404, 404, None),
    ("GET", "/threads/{thread_id}/export"): (200, 404, 404, None),
    ("POST", "/threads/import"): (201, 201, 422, SAVED),
    ("GET", "/threads/{thread_id}/messages"): (200, 404, 404, None),
    ("POST", "/threads/{thread_id}/messages"): (201, 404, 404, MESSAGE),
    ("PATCH", "/threads/{thread_id}/messages/{message_id}"): (200, 404, 404, {"content": "Other"}),
    ("DELETE", "/threads/{thread_id}/messages/{message_id}"): (204, 404, 404, None),
    ("POST", "/threads/{thread_id}/messages/{message_id}/send-now"): (202, 404, 404, None),
    ("GET", "/threads/{thread_id}/runs"): (200, 404, 404, None),
    ("POST", "/threads/{thread_id}/runs"): (202, 404, 404, None),
    ("GET", "/runs"): (200, 200, 200, None),
    ("GET", "/runs/{run_id}"): (200, 404, 404, None),
    ("POST", "/runs/{run_id}/cancel"): (202, 404, 404, None),
    ("POST", "/runs/{run_id}/retry"): (202, 404, 404, None),
    ("POST", "/runs/{run_id}/mark-done"): (202, 404, 404, None),
    ("GET", "/schedules"): (200, 200, 200, None),
    ("POST", "/schedules"): (201, 201, 404, SCHEDULE),
    ("POST", "/schedules/preview"): (200, 200, 200, TIMING),
    ("GET", "/schedules/{schedule_id}"): (200, 404, 404, None),
    ("PUT", "/schedules/{schedule_id}"): (200, 404, 404, TIMING),
    ("PATCH", "/schedules/{schedule_id}"): (200, 404, 404, TIMING),
    ("DELETE", "/schedules/{schedule_id}"): (204, 404, 404, None),
    ("POST", "/schedules/{schedule_id}/run"): (202, 404, 404, None),
    ("GET", "/schedules/{schedule_id}/occurrences"): (200, 404, 404, None),
    ("GET", "/webhooks"): (200, 200, 200, None),
    ("POST", "/webhooks"): (201, 201, 404, WEBHOOK),
    ("GET", "/webhooks/{webhook_id}"): (200, 404, 404, None),
    ("PUT", "/webhooks/{webhook_id}"): (200, 404, 404, {"name": "Other"}),
    ("PATCH", "/webhooks/{webhook_id}"): (200, 404, 404, {"name": "Other"}),
    ("DELETE", "/webhooks/{webhook_id}"): (204, 404, 404, None),
    ("POST", "/webhooks/{webhook_id}/rotate"): (200, 404, 404, None),
    ("POST", "/webhooks/{webhook_id}/test"): (202, 404, 404, None),
    ("GET", "/webhooks/{webhook_id}/deliveries"): (200, 404, 404, None),
    ("GET", "/webhooks/{webhook_id}/deliveries/{delivery_id}"): (200, 404, 404, None),
    ("POST", "/webhooks/{webhook_id}/deliveries/{delivery_id}/replay"): (202, 404, 404, None),
    ("GET", "/search"): (200, 200, 200, None),
    ("GET", "/models"): (200, 200, 200, None),
}
PRIVATE_LISTS = ("/threads", "/runs", "/schedules", "/webhooks", "/search?q=Hello")


def operations() -> dict[tuple[str, str], Operation]:
    """Every operation that is registered, by method and path."""
    return {
        (method, path.replace("{int:", "{")): operation
        for router in ninja_api._get_bound_routers()
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    }


def address(path: str, world: World) -> str:
    run = world.queued if path.endswith("/cancel") else world.ended
    if path.endswith("/mark-done") and run.reason != "may_have_happened":
        doubt(run)
    ids = {"agent_id": world.agent.pk, "thread_id": world.thread.pk, "run_id": run.pk, "schedule_id": world.schedule.pk}
    ids |= {"webhook_id": world.webhook.pk, "delivery_id": world.delivery.pk}
    if "{message_id}" in path:
        busy = world.queued.thread
        waiting = start_run(busy, text="Later", author=busy.owner, trigger=Run.Trigger.API, key="waits")
        is_missing = world.thread.pk == MISSING
        ids |= {"thread_id": busy.pk, "message_id": MISSING if is_missing else waiting.input_message_id or 0}
    return "/api" + path.format(**ids)


def body_for(template: Any, world: World) -> Any:
    return json.loads(json.dumps(template).replace('"AGENT"', str(world.agent.pk))) if template else template


def test_every_operation_is_in_the_table() -> None:
    assert set(operations()) == set(MATRIX)


def test_every_operation_asks_who_calls() -> None:
    assert all(len(operation.auth_callbacks) == 1 for operation in operations().values())


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_owner_is_served_in_the_documented_form(route: tuple[str, str], world: World, api: Api) -> None:
    expected, _, _, body = MATRIX[route]
    response = api.call(route[0], address(route[1], world), body_for(body, world))
    assert response.status_code == expected, response.content
    model = operations()[route].response_models[expected]
    if model is None:
        assert response.content == b""
    else:
        model.model_validate({"response": json.loads(response.content)})


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_member_sees_the_agents_but_not_the_owners_threads(
    route: tuple[str, str], world: World, member_api: Api
) -> None:
    _, expected, _, body = MATRIX[route]
    response = member_api.call(route[0], address(route[1], world), body_for(body, world))
    assert response.status_code == expected, response.content


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_strangers_answer_is_that_of_a_missing_object(route: tuple[str, str], world: World, stranger_api: Api) -> None:
    _, _, expected, body = MATRIX[route]
    response = stranger_api.call(route[0], address(route[1], world), body_for(body, world))
    assert response.status_code == expected, response.content
    if expected == 404:
        world.agent.pk = world.thread.pk = world.ended.pk = world.queued.pk = world.schedule.pk = MISSING
        world.webhook.pk = world.delivery.pk = MISSING
        missing = stranger_api.call(route[0], address(route[1], world), body_for(body, world))
        assert (missing.status_code, missing.content) == (404, response.content)


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_nobody_is_served_without_a_credential(route: tuple[str, str], world: World) -> None:
    body = json.dumps(body_for(MATRIX[route][3], world))
    response = Client().generic(route[0], address(route[1], world), body, content_type="application/json")
    assert response.status_code == 401
    assert json.loads(response.content)["error"]["code"] == "not_signed_in"


@pytest.mark.parametrize("path", PRIVATE_LISTS)
def test_lists_hold_nothing_of_other_people(path: str, world: World, member_api: Api, stranger_api: Api) -> None:
    for who in (member_api, stranger_api):
        response = who.get(f"/api{path}")
        assert (response.content, response["X-Total-Count"]) == (b"[]", "0")


def test_a_former_member_loses_the_agents_and_their_own_threads_with_them(world: World, member_api: Api) -> None:
    made = json.loads(member_api.post("/api/threads", {"agent_id": world.agent.pk}).content)
    member_api.user.memberships.filter(workspace=world.agent.workspace).delete()
    assert member_api.get(f"/api/agents/{world.agent.pk}").status_code == 404
    assert member_api.get(f"/api/threads/{made['id']}").status_code == 404
