"""The verbs around an outgoing webhook: an address of a person's that is told when a run ends."""

from __future__ import annotations

import base64
import secrets

from accounts.models import User
from common.crypto import encrypt
from common.errors import ZergError
from runs.deliveries import begin_test
from runs.models import Delivery, OutgoingHook
from runs.sending import send_now

MOST = 20
"""Of one person's."""
SECRET_BYTES = 32


def add_hook(owner: User, *, name: str, url: str) -> tuple[OutgoingHook, str]:
    """A new webhook and its secret, which is never shown again. Raises ZergError(``too_many``) beyond ``MOST``."""
    if OutgoingHook.objects.filter(owner=owner).count() >= MOST:
        raise ZergError("too_many", f"You have {MOST} webhooks, which is the most. Remove one that is not used.")
    hook = OutgoingHook(owner=owner, name=name, url=url, private_allowed=owner.is_staff)
    secret = _set_secret(hook)
    hook.save()
    return hook, secret


def edit_hook(hook: OutgoingHook, *, name: str, url: str, author: User) -> None:
    """Another name or address. Only where an administrator wrote the address may it be on a private network."""
    hook.private_allowed = author.is_staff or (hook.private_allowed and hook.url == url)
    hook.name, hook.url = name, url
    hook.save(update_fields=["name", "url", "private_allowed"])


def rotate_secret(hook: OutgoingHook) -> str:
    """A new secret in place of the old one, which signs nothing from now on; it is never shown again."""
    secret = _set_secret(hook)
    hook.save(update_fields=["secret_encrypted", "secret_hint"])
    return secret


def _set_secret(hook: OutgoingHook) -> str:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")
    hook.secret_encrypted, hook.secret_hint = encrypt(secret), secret[-4:]
    return secret


def switch_hook(hook: OutgoingHook, *, on: bool) -> None:
    """What is written while it is off is not sent; nor is what still waits."""
    hook.enabled = on
    hook.save(update_fields=["enabled"])


def try_hook(hook: OutgoingHook) -> Delivery:
    """Sends a test, also where it is off, and waits for the answer: ten seconds at most."""
    delivery = begin_test(hook)
    send_now(delivery)
    delivery.refresh_from_db()
    return delivery
