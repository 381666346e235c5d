"""Webhooks and their log as the JSON API shows them (docs/api.md)."""

from __future__ import annotations

from typing import Any

from common.serialize import iso
from triggers.models import Received, Webhook


def webhook_json(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.pk,
        "agent_id": webhook.agent_id,
        "name": webhook.name,
        "url": webhook.url,
        "style": webhook.style,
        "secret_hint": webhook.secret_hint,
        "old_secret_until": iso(webhook.old_secret_until),
        "prompt": webhook.prompt,
        "enabled": webhook.enabled,
        "thread_mode": webhook.thread_mode,
        "thread_id": webhook.thread_id,
        "context_policy": webhook.context_policy,
        "context_runs": webhook.context_runs,
        "check_kind": webhook.check_kind,
        "check_text": webhook.check_text,
        "notify_policy": webhook.notify_policy,
        "notify_email": webhook.notify_email,
        "notify_hook_id": webhook.notify_hook_id,
        "last_received_at": iso(webhook.last_received_at),
        "created_at": iso(webhook.created_at),
        "updated_at": iso(webhook.updated_at),
    }


def delivery_json(received: Received) -> dict[str, Any]:
    """A line of the log."""
    return {
        "id": received.pk,
        "delivery_id": received.delivery_id,
        "verdict": received.verdict,
        "reason": received.reason or None,
        "is_test": received.is_test,
        "run_id": received.run_id,
        "received_at": iso(received.received_at),
    }


def whole_delivery_json(received: Received) -> dict[str, Any]:
    """The same with what was sent and answered."""
    return {**delivery_json(received), "headers": received.headers, "body": received.body, "answer": received.answer}
