"""What people do with webhooks. ``triggers.hooks.receiving`` does what other services do."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from common import crypto
from common.errors import ZergError
from runs import checks
from threads.services import clean_content
from triggers.hooks import log, receiving, signatures
from triggers.hooks.log import Sent
from triggers.hooks.payload import require_fitting
from triggers.models import Received, Webhook

OVERLAP = timedelta(hours=24)
"""So long the secret before the last counts, too."""

CHANGEABLE = {
    "name", "agent", "prompt", "thread_mode", "thread", "context_policy", "context_runs", "check_kind", "check_text",
    "notify_policy", "notify_email", "notify_hook", "enabled",
}  # fmt: skip
SAMPLE = {"type": "zerg.test", "message": "This is a test that Zerg has sent to itself."}


@transaction.atomic
def create_webhook(agent: Agent, *, owner: User, style: str, secret: str = "", **fields: Any) -> tuple[Webhook, str]:
    """A new webhook of ``owner`` with its secret, which is never given again; ``secret`` is one of the owner's own.

    Raises ZergError(``bad_webhook``).
    """
    _require_known(fields)
    webhook = Webhook(agent=agent, owner=owner, style=style, token=secrets.token_urlsafe(24), **fields)
    _clean(webhook)
    secret = signatures.check_secret(style, secret) if secret else signatures.new_secret(style)
    _put(webhook, secret)
    webhook.save()
    return webhook, secret


@transaction.atomic
def update_webhook(webhook: Webhook, *, secret: str = "", **changes: Any) -> Webhook:
    """Changes any of CHANGEABLE, and the secret, as ``set_secret`` does.

    Raises ZergError(``bad_webhook``), and then nothing has changed.
    """
    _require_known(changes)
    current = receiving.locked(webhook.pk)
    before = current.agent_id, current.thread_mode
    for name, value in changes.items():
        setattr(current, name, value)
    if "thread" not in changes and (current.agent_id, current.thread_mode) != before:
        current.thread = None
    _clean(current)
    if secret:
        _replace(current, secret)
    current.save(update_fields=[*changes, "name", "prompt", "thread", *SECRETS, "updated_at"])
    return current


def pause(webhook: Webhook) -> Webhook:
    """Requests are refused until it is resumed; what was refused can be replayed."""
    Webhook.objects.filter(pk=webhook.pk).update(enabled=False)
    webhook.enabled = False
    return webhook


def resume(webhook: Webhook) -> Webhook:
    return update_webhook(webhook, enabled=True)


def delete_webhook(webhook: Webhook) -> None:
    """Removes a webhook with its log. Its threads and runs stay."""
    webhook.delete()


def rotate_secret(webhook: Webhook) -> str:
    """A new secret, which is never given again. The one before counts for OVERLAP, so that senders can change over."""
    secret = signatures.new_secret(webhook.style)
    set_secret(webhook, secret=secret)
    return secret


@transaction.atomic
def set_secret(webhook: Webhook, *, secret: str) -> None:
    """The same with a secret of the owner's own. Raises ZergError(``bad_webhook``) when it is none."""
    current = receiving.locked(webhook.pk)
    _replace(current, secret)
    current.save(update_fields=[*SECRETS, "updated_at"])
    _show(webhook, current)


@transaction.atomic
def forget_old_secret(webhook: Webhook) -> None:
    """The secret before the last counts no longer: for one that got into the wrong hands."""
    current = receiving.locked(webhook.pk)
    current.old_secret_encrypted, current.old_secret_until = "", None
    current.save(update_fields=[*SECRETS, "updated_at"])
    _show(webhook, current)


@transaction.atomic
def replay(received: Received) -> Received:
    """A new run for what was sent then, as the webhook is now. Raises ZergError for what nobody known has sent."""
    if not received.is_replayable:
        raise ZergError("conflict", "There is nothing to replay: nobody who knows the secret has sent it.")
    webhook = receiving.locked(received.webhook_id)
    run = receiving.start(webhook, received.body, str(received.headers.get("content-type", "")), None)
    webhook.save(update_fields=["thread"])
    return Received.objects.create(
        webhook=webhook,
        verdict=Received.Verdict.ACCEPTED,
        reason=f"Replay of request {received.pk}.",
        headers=received.headers,
        body=received.body,
        digest=received.digest,
        is_test=received.is_test,
        run=run,
        answer={"run_id": run.pk, "thread_id": run.thread_id},
        received_at=timezone.now(),
    )


def send_test(webhook: Webhook) -> Received:
    """Sends a sample through all that a service's request goes through. Gives its line in the log, with the verdict.

    Where it is let in, it starts a run as any other does.
    """
    now = timezone.now()
    body = json.dumps({**SAMPLE, "sent_at": now.isoformat(timespec="seconds")}).encode()
    headers: Mapping[str, str] = {}
    try:
        headers = signatures.sign(webhook, body, f"test-{secrets.token_hex(8)}", now)
    except ZergError as error:
        return _as_row(log.refused(webhook, Sent(body, headers, now, True), error, by_stranger=True))
    sent = {"content-type": "application/json", "user-agent": "Zerg", **headers}
    return _as_row(receiving.receive(webhook.token, body, sent, is_test=True).received)


def _as_row(row: Received | None) -> Received:
    if row is None:
        raise ZergError("not_found", "Webhook not found")
    return row


SECRETS = ["secret_encrypted", "secret_hint", "old_secret_encrypted", "old_secret_until"]


def _put(webhook: Webhook, secret: str) -> None:
    webhook.secret_encrypted, webhook.secret_hint = crypto.encrypt(secret), f"…{secret[-4:]}"


def _replace(webhook: Webhook, secret: str) -> None:
    secret = signatures.check_secret(webhook.style, secret)
    webhook.old_secret_encrypted = webhook.secret_encrypted
    webhook.old_secret_until = timezone.now() + OVERLAP if webhook.secret_encrypted else None
    _put(webhook, secret)


def _show(webhook: Webhook, current: Webhook) -> None:
    for name in SECRETS:
        setattr(webhook, name, getattr(current, name))


def _clean(webhook: Webhook) -> None:
    """Checks what a person gave and brings it into its stored form."""
    webhook.name = " ".join(webhook.name.split())
    try:
        webhook.clean_fields(exclude=["disabled_reason", "token"])
    except ValidationError as error:
        fields = {name: " ".join(messages) for name, messages in error.message_dict.items()}
        raise ZergError("bad_webhook", next(iter(fields.values())), fields) from error
    for name in ("name", "prompt"):
        try:
            setattr(webhook, name, clean_content(getattr(webhook, name)))
        except ZergError as error:
            raise ZergError("bad_webhook", error.message, {name: error.message}) from error
    require_fitting(webhook.prompt)
    _check_relations(webhook)
    try:
        checks.validate(webhook.check_kind, webhook.check_text)
    except ZergError as error:
        _refuse("check_text", error.message)


def _check_relations(webhook: Webhook) -> None:
    if not webhook.agent.workspace.memberships.filter(user=webhook.owner_id).exists():
        _refuse("agent", f"{webhook.owner} is no member of the workspace of {webhook.agent}.")
    if webhook.enabled and webhook.agent.archived_at is not None:
        _refuse("agent", f"{webhook.agent} is archived. Restore it first.")
    thread = webhook.thread
    if webhook.thread_mode == Webhook.ThreadMode.BOUND and thread is None:
        _refuse("thread", "Choose the thread that it writes to.")
    if thread and (thread.owner_id, thread.agent_id) != (webhook.owner_id, webhook.agent_id):
        _refuse("thread", "It can write only to a thread of its owner with the same agent.")
    if webhook.thread_mode == Webhook.ThreadMode.NEW:
        webhook.thread = None
    if webhook.notify_hook and webhook.notify_hook.owner_id != webhook.owner_id:
        _refuse("notify_hook", "It can tell only a webhook of its owner's.")


def _refuse(field: str, sentence: str) -> None:
    raise ZergError("bad_webhook", sentence, {field: sentence})


def _require_known(fields: Mapping[str, Any]) -> None:
    if unknown := set(fields) - CHANGEABLE:
        raise TypeError(f"Webhooks have no {', '.join(sorted(unknown))}")
