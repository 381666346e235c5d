"""/api/webhooks: addresses that other services call, and the log of what came in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from accounts.models import User
from agents.models import Agent
from api import shapes
from api.answers import answer, listed, nothing
from api.auth import Needs, caller
from api.schemas import NewWebhook, Page, WebhookFields, WebhookFilter
from common.errors import ZergError, not_found
from common.serialize import iso
from runs.models import OutgoingHook
from threads.models import Thread
from triggers.hooks import services
from triggers.hooks.serializers import delivery_json, webhook_json, whole_delivery_json
from triggers.models import Received, Webhook

router = Router(tags=["Webhooks"])


@router.get("/webhooks", auth=Needs("agents:read"), response=list[shapes.Webhook], summary="List webhooks")
def list_webhooks(request: HttpRequest, page: Query[WebhookFilter]) -> HttpResponse:
    """Your webhooks, newest first."""
    rows = Webhook.objects.for_user(caller(request).user).order_by("-id")
    return listed(rows if page.agent_id is None else rows.filter(agent=page.agent_id), page, webhook_json)


@router.post("/webhooks", auth=Needs("schedules:write"), response={201: shapes.MadeWebhook}, summary="Make a webhook")
def create_webhook(request: HttpRequest, body: NewWebhook) -> HttpResponse:
    """The answer has its `secret`, this once. Without a `thread_mode` it writes into a thread of its own."""
    user = caller(request).user
    fields = _accepted(user, body)
    fields.setdefault("style", body.style)
    agent = fields.pop("agent")
    with _names_of_fields():
        webhook, secret = services.create_webhook(agent, owner=user, **fields)
    return answer({**webhook_json(webhook), "secret": secret}, 201)


@router.get("/webhooks/{int:webhook_id}", auth=Needs("agents:read"), response=shapes.Webhook, summary="Read a webhook")
def get_webhook(request: HttpRequest, webhook_id: int) -> HttpResponse:
    return answer(webhook_json(_webhook(request, webhook_id)))


CHANGE = {"auth": Needs("schedules:write"), "response": shapes.Webhook, "summary": "Change a webhook"}


@router.put("/webhooks/{int:webhook_id}", operation_id="put_webhook", **CHANGE)  # type: ignore[arg-type]
@router.patch("/webhooks/{int:webhook_id}", operation_id="patch_webhook", **CHANGE)  # type: ignore[arg-type]
def update_webhook(request: HttpRequest, webhook_id: int, body: WebhookFields) -> HttpResponse:
    """Takes any subset of the fields, with PUT as with PATCH. Pause with `enabled` false, resume with true."""
    webhook = _webhook(request, webhook_id)
    fields = _accepted(caller(request).user, body)
    with _names_of_fields():
        return answer(webhook_json(services.update_webhook(webhook, **fields) if fields else webhook))


@router.delete(
    "/webhooks/{int:webhook_id}", auth=Needs("schedules:write"), response={204: None}, summary="Delete a webhook"
)
def delete_webhook(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Deletes it with its log. Its threads and runs stay."""
    services.delete_webhook(_webhook(request, webhook_id))
    return nothing()


@router.post(
    "/webhooks/{int:webhook_id}/rotate",
    auth=Needs("schedules:write"),
    response=shapes.NewSecret,
    summary="Change the secret",
)
def rotate_webhook_secret(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Makes a new secret, which is shown this once. The one before counts for 24 hours, too."""
    webhook = _webhook(request, webhook_id)
    secret = services.rotate_secret(webhook)
    return answer({"secret": secret, "old_secret_until": iso(webhook.old_secret_until)})


@router.post(
    "/webhooks/{int:webhook_id}/test",
    auth=Needs("runs:write"),
    response={202: shapes.WebhookDelivery},
    summary="Send a test",
)
def test_webhook(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Sends a signed sample through all that a service's request goes through. Where it is let in, it starts a run."""
    return answer(delivery_json(services.send_test(_webhook(request, webhook_id))), 202)


@router.get(
    "/webhooks/{int:webhook_id}/deliveries",
    auth=Needs("agents:read"),
    response=list[shapes.WebhookDelivery],
    summary="Read the log",
)
def list_deliveries(request: HttpRequest, webhook_id: int, page: Query[Page]) -> HttpResponse:
    """What came in and what became of it, newest first."""
    rows = _webhook(request, webhook_id).received.defer("headers", "body", "answer").order_by("-id")
    return listed(rows, page, delivery_json)


@router.get(
    "/webhooks/{int:webhook_id}/deliveries/{int:delivery_id}",
    auth=Needs("agents:read", "threads:read"),
    response=shapes.WholeDelivery,
    summary="Read a request",
)
def get_delivery(request: HttpRequest, webhook_id: int, delivery_id: int) -> HttpResponse:
    return answer(whole_delivery_json(_delivery(request, webhook_id, delivery_id)))


@router.post(
    "/webhooks/{int:webhook_id}/deliveries/{int:delivery_id}/replay",
    auth=Needs("runs:write"),
    response={202: shapes.StartedRun},
    summary="Replay a request",
)
def replay_delivery(request: HttpRequest, webhook_id: int, delivery_id: int) -> HttpResponse:
    """A new run for what was sent then, as the webhook is now."""
    return answer(services.replay(_delivery(request, webhook_id, delivery_id)).answer, 202)


def _webhook(request: HttpRequest, webhook_id: int) -> Webhook:
    return Webhook.objects.get_for(caller(request).user, webhook_id)


def _delivery(request: HttpRequest, webhook_id: int, delivery_id: int) -> Received:
    received = Received.objects.get_for(caller(request).user, delivery_id)
    if received.webhook_id != webhook_id:
        raise not_found("Received request")
    return received


def _accepted(user: User, body: WebhookFields) -> dict[str, Any]:
    """The fields that were sent, with the rows that their ids name. Raises ZergError(``not_found``)."""
    fields = body.model_dump(exclude_unset=True)
    if "agent_id" in fields:
        fields["agent"] = Agent.objects.get_for(user, fields.pop("agent_id"))
    if "thread_id" in fields:
        thread_id = fields.pop("thread_id")
        fields["thread"] = None if thread_id is None else Thread.objects.get_for(user, thread_id)
    if "notify_hook_id" in fields:
        hook_id = fields.pop("notify_hook_id")
        fields["notify_hook"] = None if hook_id is None else OutgoingHook.objects.get_for(user, hook_id)
    return fields


@contextmanager
def _names_of_fields() -> Iterator[None]:
    """Errors name the field as it was sent."""
    ids = {"thread", "agent", "notify_hook"}
    try:
        yield
    except ZergError as error:
        fields = {f"{name}_id" if name in ids else name: text for name, text in error.fields.items()}
        raise ZergError(error.code, error.message, fields) from error
