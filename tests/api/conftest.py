"""A client that speaks JSON with a token, and a small world for it to act on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone

from accounts.models import SCOPES, User
from accounts.services import create_token
from agents.models import Agent
from agents.services import create_agent
from runs.models import Run, RunStatus
from runs.services import start_run
from threads.models import Thread
from threads.services import add_message, change, create_thread
from triggers.hooks.services import create_webhook
from triggers.models import Occurrence, Received, Schedule, Webhook
from triggers.services import create_schedule


class Api:
    """Calls the API as ``user``, with a token of ``scopes``."""

    def __init__(self, user: User, scopes: tuple[str, ...] = SCOPES) -> None:
        self.user = user
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {create_token(user, 'test', scopes)[1]}"}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        content = body if isinstance(body, (str, bytes)) else "" if body is None else json.dumps(body)
        return self.client.generic(  # type: ignore[return-value]
            method, path, content, content_type="application/json", headers={**self.headers, **headers}
        )

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any) -> HttpResponse:
        return self.call("PUT", path, body)

    def patch(self, path: str, body: Any) -> HttpResponse:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> HttpResponse:
        return self.call("DELETE", path)


def read(response: HttpResponseBase, status: int = 200) -> Any:
    """The JSON of an answer that has to have ``status``."""
    content = getattr(response, "content", b"a stream")
    assert response.status_code == status, content
    return json.loads(content)


def refused(response: HttpResponseBase, status: int, code: str) -> dict[str, Any]:
    """The error of an answer that has to be one, of this kind and in the one form."""
    body = read(response, status)
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "fields"}
    assert error["code"] == code
    assert error["message"]
    return error


def end(run: Run, status: RunStatus = RunStatus.SUCCEEDED) -> Run:
    """The run as a worker would leave it."""
    Run.objects.filter(pk=run.pk).update(status=status, reason="completed", finished_at=timezone.now())
    run.refresh_from_db()
    return run


@dataclass
class World:
    """One of everything: a quiet thread whose run has ended, a busy one of another agent, a schedule with a ledger,
    a webhook with a log."""

    agent: Agent
    thread: Thread
    ended: Run
    busy_agent: Agent
    queued: Run
    schedule: Schedule
    webhook: Webhook
    delivery: Received


def doubt(run: Run) -> Run:
    """The run as it is left when its worker dies in the middle of a call that changes things."""
    failed: dict[str, Any] = {"status": "failed", "error_code": "may_have_happened", "error_message": "Look first."}
    with change(run.thread_id) as thread:
        calls = [{"id": "call_1", "name": "post", "arguments": "{}"}]
        add_message(thread, role="assistant", source="agent", tool_calls=calls, run_id=run.pk)
        add_message(thread, role="tool", source="tool", tool_call_id="call_1", name="post", run_id=run.pk, **failed)
        add_message(thread, role="assistant", source="agent", run_id=run.pk, **failed)
    end(run, RunStatus.FAILED)
    Run.objects.filter(pk=run.pk).update(reason=Run.Reason.MAY_HAVE_HAPPENED, error_code="may_have_happened")
    run.refresh_from_db()
    return run


@pytest.fixture
def world(owner: User, agent: Agent, thread: Thread) -> World:
    ended = end(start_run(thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT))
    busy_agent = create_agent(workspace=agent.workspace, author=owner, name="Busy", task_instructions="Work.")
    busy_thread = create_thread(busy_agent, owner=owner, title="Busy", active=True)
    queued = start_run(busy_thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT)
    schedule = create_schedule(agent, owner=owner, expression="0 7 * * *", prompt="Look.")
    now = timezone.now()
    Occurrence.objects.create(schedule=schedule, scheduled_for=now, fired_at=now, outcome="ran", run=ended)
    webhook, _ = create_webhook(agent, owner=owner, style="standard", name="Orders", prompt="Look: {{payload}}")
    delivery = Received.objects.create(
        webhook=webhook, delivery_id="one", verdict="accepted", body='{"order": 1}', received_at=now, run=ended
    )
    return World(agent, thread, ended, busy_agent, queued, schedule, webhook, delivery)


@pytest.fixture
def api(owner: User) -> Api:
    return Api(owner)


@pytest.fixture
def member_api(member: User) -> Api:
    return Api(member)


@pytest.fixture
def stranger_api(stranger: User) -> Api:
    return Api(stranger)
