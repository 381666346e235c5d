"""/api/webhooks: making, changing, and the log of what came in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from agents.models import Agent
from runs.models import OutgoingHook, Run
from tests.api.conftest import Api, World, read, refused
from threads.services import create_thread
from triggers.models import Webhook

SECRET = "a-secret-of-the-tests"


@pytest.fixture
def made(api: Api, agent: Agent) -> dict[str, Any]:
    body = {"agent_id": agent.pk, "name": " Orders ", "style": "bearer", "prompt": "Look: {{payload}}"}
    found: dict[str, Any] = read(api.post("/api/webhooks", body), 201)
    return found


def call(made: dict[str, Any], secret: str, id: str) -> int:
    path = "/" + made["url"].split("/", 3)[3]
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": id}
    return Client().generic("POST", path, b'{"order": 17}', headers=headers).status_code


def test_the_secret_is_in_the_answer_that_makes_it_and_never_again(api: Api, made: dict[str, Any]) -> None:
    secret = made["secret"]
    assert call(made, secret, "one") == 202
    address = f"/api/webhooks/{made['id']}"
    shown = read(api.get(address))
    assert {**made, "last_received_at": None, "thread_id": None} == {
        **shown, "secret": secret, "last_received_at": None, "thread_id": None, "updated_at": made["updated_at"]
    }  # fmt: skip
    log = read(api.get(f"{address}/deliveries"))
    whole = read(api.get(f"{address}/deliveries/{log[0]['id']}"))
    texts = [api.get(path).content.decode() for path in (address, "/api/webhooks", f"{address}/deliveries")]
    assert secret not in "".join(texts) + str(whole)
    assert (whole["body"], whole["verdict"], whole["delivery_id"]) == ('{"order": 17}', "accepted", "one")
    assert whole["answer"] == {"run_id": log[0]["run_id"], "thread_id": shown["thread_id"]}


def test_a_rotated_secret_counts_beside_the_one_before(api: Api, made: dict[str, Any]) -> None:
    new = read(api.post(f"/api/webhooks/{made['id']}/rotate"))
    assert new["secret"] != made["secret"]
    assert new["old_secret_until"]
    assert [call(made, secret, secret[-9:]) for secret in (made["secret"], new["secret"], "wrong")] == [202, 202, 401]


def test_a_secret_of_ones_own_is_taken_with_the_other_changes_or_not_at_all(api: Api, made: dict[str, Any]) -> None:
    address = f"/api/webhooks/{made['id']}"
    error = refused(api.patch(address, {"name": "Other", "secret": "short"}), 422, "bad_webhook")
    assert set(error["fields"]) == {"secret"}
    assert read(api.get(address))["name"] == "Orders"
    assert read(api.patch(address, {"name": "Other", "secret": SECRET}))["name"] == "Other"
    assert call(made, SECRET, "one") == 202


def test_pause_resume_and_replay(api: Api, made: dict[str, Any]) -> None:
    address = f"/api/webhooks/{made['id']}"
    assert read(api.patch(address, {"enabled": False}))["enabled"] is False
    assert call(made, made["secret"], "one") == 409
    (row,) = read(api.get(f"{address}/deliveries"))
    assert (row["verdict"], row["run_id"], row["reason"]) == ("refused", None, "This webhook is paused.")
    refused(api.post(f"{address}/deliveries/{row['id']}/replay"), 409, "conflict")
    read(api.put(address, {"enabled": True}))
    started = read(api.post(f"{address}/deliveries/{row['id']}/replay"), 202)
    assert Run.objects.get().pk == started["run_id"]


def test_what_is_wrong_is_named_as_it_was_sent(
    api: Api, made: dict[str, Any], world: World, stranger: User, owner: User
) -> None:
    address = f"/api/webhooks/{made['id']}"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"thread_mode": "bound"}, "thread_id"),
        ({"thread_id": world.queued.thread_id}, "thread_id"),
        ({"prompt": "{{payload}}{{payload}}"}, "prompt"),
        ({"check_kind": "contains"}, "check_text"),
    ]
    for body, field in wrong:
        assert set(refused(api.patch(address, body), 422, "bad_webhook")["fields"]) == {field}
    theirs = OutgoingHook.objects.create(owner=stranger, name="Theirs", url="https://example.com/")
    refused(api.patch(address, {"notify_hook_id": theirs.pk}), 404, "not_found")
    mine = OutgoingHook.objects.create(owner=owner, name="Mine", url="https://example.com/")
    assert read(api.patch(address, {"notify_hook_id": mine.pk}))["notify_hook_id"] == mine.pk


def test_a_thread_of_somebody_else_is_not_there(api: Api, made: dict[str, Any], member: User, agent: Agent) -> None:
    private = create_thread(agent, owner=member)
    refused(api.patch(f"/api/webhooks/{made['id']}", {"thread_id": private.pk}), 404, "not_found")


def test_scopes_are_asked_for(owner: User, world: World) -> None:
    reader, runner = Api(owner, ("agents:read",)), Api(owner, ("runs:write",))
    address = f"/api/webhooks/{world.webhook.pk}"
    read(reader.get(f"{address}/deliveries"))
    for answer in (
        reader.get(f"{address}/deliveries/{world.delivery.pk}"), reader.post(f"{address}/rotate"),
        reader.post(f"{address}/test"), reader.delete(address), runner.post(f"{address}/rotate"), runner.get(address),
    ):  # fmt: skip
        refused(answer, 403, "forbidden")
    assert read(runner.post(f"{address}/test"), 202)["verdict"] == "accepted"
    assert Webhook.objects.get().secret_encrypted == world.webhook.secret_encrypted
