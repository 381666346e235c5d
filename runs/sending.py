"""Sends one delivery: reads what it says, speaks with a mail server or a webhook's, and judges the answer.

Nothing here raises for what servers do; a try ends in a verdict.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.mail import EmailMessage
from standardwebhooks import Webhook

from common import posting
from common.crypto import decrypt
from common.errors import ZergError
from runs.deliveries import Verdict, email_is_set_up, settle
from runs.delivery_words import email_of, message_id, payload_of
from runs.models import Delivery, Run

SHOWN_CHARS = 200
"""Of what a server says about its refusal."""
GONE = 410
UNPRINTED = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]+")

MAIL_THREADS = ThreadPoolExecutor(4, thread_name_prefix="mail")
"""A mail server is spoken with in steps that wait."""

Try = Callable[[], Awaitable[Verdict]]


@dataclass(frozen=True)
class Post:
    """A webhook, ready to be sent."""

    url: str
    secret: str
    private_allowed: bool
    message_id: str
    body: str


def ready(delivery: Delivery) -> Try | Verdict:
    """What sends a claimed delivery, with all of it read from the database; or why it cannot be sent at all.

    Whom the agent does not belong to any more is told nothing of it.
    """
    owner = delivery.owner
    run = None
    if not delivery.is_test:
        runs = Run.objects.for_user(owner).select_related("agent")
        run = runs.filter(pk=delivery.run_id or 0).first() if owner.is_active else None
        if run is None:
            return Verdict(error="The run is gone, or its agent is not yours any more.", is_final=True)
    if delivery.way == Delivery.Way.EMAIL:
        if run is None or not email_is_set_up():
            return Verdict(error="No e-mail is set up here: an operator does that with ZERG_EMAIL_URL.", is_final=True)
        message = email_of(delivery, run, owner)
        return lambda: mail(message)
    hook = delivery.hook
    if hook is None or not (hook.enabled or delivery.is_test):
        return Verdict(error="The webhook was switched off or removed.", is_final=True)
    try:
        secret = decrypt(hook.secret_encrypted)
    except ZergError:
        words = "Its secret was encrypted with another encryption key. Make a new one."
        return Verdict(error=words, is_final=True)
    letter = Post(hook.url, secret, hook.private_allowed, message_id(delivery), payload_of(delivery, run))
    return lambda: post(letter)


def send_now(delivery: Delivery) -> Verdict:
    """Sends a claimed delivery and writes down what became of it. For threads that may wait; opens no transaction."""
    attempt = ready(delivery)
    verdict = attempt if isinstance(attempt, Verdict) else asyncio.run(_run(attempt))
    settle(delivery, verdict)
    return verdict


async def _run(attempt: Try) -> Verdict:
    return await attempt()


async def post(letter: Post) -> Verdict:
    """Sends a webhook once, signed by Standard Webhooks. No redirect is followed."""
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Zerg-Webhooks/1",
        "Accept-Encoding": "identity",
        "webhook-id": letter.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(letter.secret).sign(letter.message_id, now, letter.body),
    }
    try:
        answer = await posting.post(
            letter.url, body=letter.body.encode(), headers=headers, private_allowed=letter.private_allowed
        )
    except posting.NotSent as error:
        return Verdict(error=error.words, is_final=error.is_final)
    return _judge(answer.status, answer.said)


def _judge(status: int, said: bytes) -> Verdict:
    if 200 <= status < 300:
        return Verdict(status)
    if status == GONE:
        words = "It answered 410, which says that it wants no more: the webhook is switched off."
        return Verdict(status, words, is_final=True, is_gone=True)
    if 300 <= status < 400:
        return Verdict(status, f"It answered {status}: it leads elsewhere, and no redirect is followed.")
    words = _shown(said.decode("utf-8", "replace"))
    return Verdict(status, f"It answered {status}: {words}" if words else f"It answered {status}.")


async def mail(message: EmailMessage) -> Verdict:
    """Sends an e-mail once."""
    return await asyncio.get_running_loop().run_in_executor(MAIL_THREADS, _mail, message)


def _mail(message: EmailMessage) -> Verdict:
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()), (0, b""))
        return _mail_refused(code, said)
    except smtplib.SMTPResponseException as error:
        return _mail_refused(error.smtp_code, error.smtp_error)
    except TimeoutError:
        return Verdict(error="The mail server did not answer within 10 seconds.")
    except (smtplib.SMTPException, OSError) as error:
        return Verdict(error=f"The mail server cannot be reached ({type(error).__name__}).")
    return Verdict()


def _mail_refused(code: int, said: bytes | str) -> Verdict:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return Verdict(code if 0 < code < 1000 else None, f"The mail server refused it: {code} {_shown(words)}".strip())


def _shown(text: str) -> str:
    return UNPRINTED.sub(" ", text).strip()[:SHOWN_CHARS]
