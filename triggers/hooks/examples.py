"""How to send to a webhook, for its page: by its style, with its own address."""

from __future__ import annotations

from triggers.models import Webhook

STANDARD = """\
# pip install standardwebhooks requests
import json, requests, uuid
from datetime import datetime, timezone
from os import environ
from standardwebhooks import Webhook

body, id, now = json.dumps({"order": 17}), str(uuid.uuid4()), datetime.now(timezone.utc)
requests.post(
    "%s",
    data=body,
    headers={
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(environ["SECRET"]).sign(id, now, body),
    },
)
"""
GITHUB = """\
# At GitHub: Settings, Webhooks, Add webhook. Content type application/json. From a shell:
BODY='{"order": 17}'
SIGNATURE=$(printf %%s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/^.* //')
curl %s \\
  -H "X-Hub-Signature-256: sha256=$SIGNATURE" \\
  -H "X-GitHub-Delivery: $(date +%%s)-$$" \\
  --data-binary "$BODY"
"""
BEARER = """\
curl %s \\
  -H "Authorization: Bearer $SECRET" \\
  -H "Idempotency-Key: order-17" \\
  -H "Content-Type: application/json" \\
  --data-binary '{"order": 17}'
"""
OF_STYLE = {Webhook.Style.STANDARD: STANDARD, Webhook.Style.GITHUB: GITHUB, Webhook.Style.BEARER: BEARER}


def example(webhook: Webhook) -> str:
    """A program that sends to the webhook; its secret is in the environment."""
    return OF_STYLE[Webhook.Style(webhook.style)] % webhook.url
