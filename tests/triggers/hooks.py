"""Senders of webhooks, for tests: what they sign, they sign by themselves, not by the code that is tested."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from django.http.response import HttpResponseBase
from django.test import Client

from triggers.models import Webhook

GITHUB_SECRET = "It's a Secret to Everybody"
OWN = "a-secret-of-the-tests"
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = {"standard": STANDARD_SECRET, "github": OWN, "bearer": OWN}


def signed(style: str, body: bytes, id: str, secret: str = "", at: datetime | None = None) -> dict[str, str]:
    """The headers of a request as its sender makes them."""
    secret = secret or SECRETS[style]
    if style == "bearer":
        return {"Authorization": f"Bearer {secret}", "Idempotency-Key": id}
    if style == "github":
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Delivery": id, "X-GitHub-Event": "push"}
    time = str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest_of = hmac.new(key, f"{id}.{time}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest_of).decode()
    return {"webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature}


def send(webhook: Webhook, body: bytes, headers: dict[str, str], slash: str = "") -> HttpResponseBase:
    """A request by whoever has no session here."""
    client = Client(raise_request_exception=False)
    sent = {"Content-Type": "application/json", **headers}
    path = f"/hooks/{webhook.token}{slash}"
    return client.generic("POST", path, body, content_type=sent["Content-Type"], headers=sent)


def read(answer: HttpResponseBase) -> Any:
    return json.loads(getattr(answer, "content", b""))
