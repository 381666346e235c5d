"""Whether whoever sends knows the webhook's secret: over the body as it came, byte by byte, in three styles."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError

from common import crypto
from common.errors import ZergError
from triggers.models import Webhook

Style = Webhook.Style
Headers = Mapping[str, str]
"""By their names in lower case."""

LONGEST_ID = 200
SHORTEST_SECRET = 16
LONGEST_SECRET = 500
PREFIX = "whsec_"
OF_TIME = {
    "Message timestamp too old": "Its timestamp is more than 5 minutes old.",
    "Message timestamp too new": "Its timestamp is more than 5 minutes ahead.",
}


def delivery_id(webhook: Webhook, body: bytes, headers: Headers, now: datetime) -> str | None:
    """The id of a delivery that was sent by whoever knows the secret; None where such a delivery has none.

    The secret before the last counts, too, until its time is over. A secret that is missing, or that no key at hand
    opens, lets nobody in. Raises ZergError(``bad_signature``, 401), and ``bad_delivery_id`` for an id of no use.
    """
    known = _secrets_of(webhook, now)
    if not known:
        raise _refusal("The webhook has no secret that can be read. Set a new one.")
    problem = ""
    for secret in known:
        problem = CHECKS[Style(webhook.style)](secret, body, headers)
        if not problem:
            return _clean_id(IDS[Style(webhook.style)](body, headers))
    raise _refusal(problem)


def sign(webhook: Webhook, body: bytes, id: str, now: datetime) -> dict[str, str]:
    """The headers with which a request of the webhook's style is let in. Raises ZergError when there is no secret."""
    secret = crypto.decrypt(webhook.secret_encrypted)
    if not secret:
        raise _refusal("The webhook has no secret. Set one.")
    if webhook.style == Style.STANDARD:
        signature = StandardWebhook(secret).sign(id, now.astimezone(UTC), body.decode())
        return {
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
    if webhook.style == Style.GITHUB:
        return {"x-github-delivery": id, "x-github-event": "zerg_test", "x-hub-signature-256": _github(secret, body)}
    return {"authorization": f"Bearer {secret}", "idempotency-key": id}


def new_secret(style: str) -> str:
    """A fresh secret with 256 bits, in the form that senders of the style expect."""
    if style == Style.STANDARD:
        return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    return crypto.new_token("zwh")


def check_secret(style: str, secret: str) -> str:
    """A person's own secret as it is stored. Raises ZergError(``bad_webhook``) when it is none, or easily guessed."""
    secret = secret.strip()
    problem = ""
    if not SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET:
        problem = f"A secret has at least {SHORTEST_SECRET} characters, and at most {LONGEST_SECRET}."
    elif style == Style.STANDARD and len(_decoded(secret)) < SHORTEST_SECRET:
        problem = f"A secret of Standard Webhooks is {PREFIX} and at least {SHORTEST_SECRET} bytes in Base64."
    elif not secret.isprintable():
        problem = "A secret is one line of letters, digits and signs."
    elif style == Style.BEARER and (not secret.isascii() or " " in secret):
        problem = "A bearer token is made of letters, digits and signs, without spaces: it is sent in a header."
    if problem:
        raise ZergError("bad_webhook", problem, {"secret": problem})
    return secret


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX) + "==", validate=False)
    except (binascii.Error, ValueError):
        return b""


def _secrets_of(webhook: Webhook, now: datetime) -> list[str]:
    stored = [webhook.secret_encrypted]
    if webhook.old_secret_until and now < webhook.old_secret_until:
        stored.append(webhook.old_secret_encrypted)
    known = []
    for token in stored:
        try:
            known.append(crypto.decrypt(token))
        except ZergError:
            continue
    return [secret for secret in known if secret]


def _check_standard(secret: str, body: bytes, headers: Headers) -> str:
    try:
        StandardWebhook(secret).verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        return OF_TIME.get(str(error), NO_MATCH if "webhook-signature" in headers else UNSIGNED)
    except Exception:  # whatever the library thinks of headers that are no signature at all
        return NO_MATCH
    return ""


def _check_github(secret: str, body: bytes, headers: Headers) -> str:
    sent = headers.get("x-hub-signature-256", "")
    if not sent:
        return UNSIGNED
    return "" if hmac.compare_digest(sent.encode(), _github(secret, body).encode()) else NO_MATCH


def _github(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _check_bearer(secret: str, body: bytes, headers: Headers) -> str:
    scheme, _, sent = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return "It came without “Authorization: Bearer …”."
    return "" if hmac.compare_digest(sent.strip().encode(), secret.encode()) else "Its bearer token is another one."


def _id_of_github(body: bytes, headers: Headers) -> str:
    # Its id is not signed. To leave it out must not make a second delivery of the first.
    return headers.get("x-github-delivery", "") or f"body:{hashlib.sha256(body).hexdigest()}"


def _clean_id(text: str) -> str | None:
    text = text.strip()
    if len(text) > LONGEST_ID or not text.isprintable():
        raise ZergError("bad_delivery_id", f"A delivery's id is one line of at most {LONGEST_ID} characters.")
    return text or None


def _refusal(sentence: str) -> ZergError:
    return ZergError("bad_signature", sentence)


UNSIGNED = "It came without a signature."
NO_MATCH = "Its signature does not fit its body and the secret."
CHECKS: dict[Style, Callable[[str, bytes, Headers], str]] = {
    Style.STANDARD: _check_standard,
    Style.GITHUB: _check_github,
    Style.BEARER: _check_bearer,
}
"""What is wrong with a request; empty: nothing."""

IDS: dict[Style, Callable[[bytes, Headers], str]] = {
    Style.STANDARD: lambda body, headers: headers.get("webhook-id", ""),
    Style.GITHUB: _id_of_github,
    Style.BEARER: lambda body, headers: headers.get("idempotency-key") or headers.get("webhook-id", ""),
}
