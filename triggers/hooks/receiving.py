"""What becomes of a request to a webhook's address: one transaction stores it with the run that it starts.

Neither a worker nor the broker is needed for the answer. What is not let in leaves a line in the log, and no more.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from common.errors import ZergError, not_found
from runs.models import Run
from runs.services import start_runs
from runs.starting import Start
from threads.models import Thread
from threads.services import clean_content, create_thread
from triggers.hooks import log, signatures
from triggers.hooks.log import Sent
from triggers.hooks.payload import payload_block
from triggers.models import Received, Webhook
from triggers.prompts import fill, known, last_of, names_in

MOST_BYTES = 256 * 1024
AT_ONCE, PER_SECOND = 1000, 20
"""So many requests a webhook takes together, and then each second: more than a sender that works has to say."""

LONGEST_KEY = 128
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
PONG: dict[str, Any] = {"ok": True}


@dataclass(frozen=True)
class Answer:
    """What the sender is told, and the row that was written, if any."""

    status: int
    content: dict[str, Any]
    received: Received | None = None
    headers: dict[str, str] = field(default_factory=dict)


class TooFast(ZergError):
    """More than a webhook takes; after ``seconds`` there is room again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("rate_limited", f"Too many requests at once. Send it again in {seconds} s.")
        self.seconds = seconds


def receive(token: str, body: bytes, headers: Mapping[str, str], *, is_test: bool = False) -> Answer:
    """Answers a request: 202 with ``{run_id, thread_id}``, for the same delivery the same for ever, or an error.

    ``headers`` by their names in lower case. ``body`` may be cut after MOST_BYTES + 1. An address that is none costs
    one look into an index, and leaves nothing behind.
    """
    webhook = Webhook.objects.filter(token=token).first() if TOKEN.fullmatch(token) else None
    if webhook is None:
        return Answer(404, not_found("Webhook").as_json())
    sent = Sent(body, headers, timezone.now(), is_test)
    is_stranger = True
    try:
        if len(body) > MOST_BYTES:
            raise ZergError("too_large", f"The body is too large: at most {MOST_BYTES // 1024} KiB.")
        delivery_id = signatures.delivery_id(webhook, body, headers, sent.at)
        is_stranger = False
        return _accept(webhook, sent, delivery_id)
    except ZergError as error:
        if error.code == "not_found":  # deleted while it was read
            return Answer(404, error.as_json())
        row = log.refused(webhook, sent, error, by_stranger=is_stranger)
        wait = {"Retry-After": str(error.seconds)} if isinstance(error, TooFast) else {}
        return Answer(error.status, error.as_json(), row, wait)


@transaction.atomic
def _accept(found: Webhook, sent: Sent, delivery_id: str | None) -> Answer:
    """Under the webhook's lock, so that of two equal deliveries the second sees the first."""
    webhook = locked(found.pk)
    before = webhook.received.filter(delivery_id=delivery_id, verdict=Received.Verdict.ACCEPTED).first()
    if before and delivery_id:
        return _again(before, sent)
    webhook.room = _room(webhook, sent.at)
    run: Run | None = None
    answer = PONG
    if not _is_ping(webhook, sent):
        run = start(webhook, sent.text, sent.headers.get("content-type", ""), delivery_id)
        answer = {"run_id": run.pk, "thread_id": run.thread_id}
    reason = "" if run else "A ping: there is nothing to run."
    row = log.accepted(webhook, sent, delivery_id, run=run, answer=answer, reason=reason)
    webhook.last_received_at = sent.at
    webhook.save(update_fields=["room", "last_received_at", "thread"])
    return Answer(_status_of(answer), answer, row)


def locked(pk: int) -> Webhook:
    """The webhook as it is now, locked. Raises ZergError(``not_found``)."""
    rows = Webhook.objects.select_related("agent", "owner", "thread")
    webhook = rows.select_for_update(of=("self",), no_key=True).filter(pk=pk).first()
    if webhook is None:
        raise not_found("Webhook")
    return webhook


def start(webhook: Webhook, body: str, content_type: str, delivery_id: str | None) -> Run:
    """The run for what was sent, in the webhook's thread whatever that says; inside the transaction of its row.

    Raises ZergError where the webhook may not run, or may not run any more.
    """
    require_rights(webhook)
    values = {"payload": payload_block(body, content_type)}
    if names_in(webhook.prompt) - set(values):
        last = last_of(Run.objects.filter(webhook_id=webhook.pk))
        values |= known(timezone.now(), webhook.owner.timezone, last)
    prompt = clean_content(fill(webhook.prompt, values))
    (run,) = start_runs(
        [
            Start(
                _thread_of(webhook),
                prompt,
                webhook.owner,
                Run.Trigger.WEBHOOK,
                _key(webhook, delivery_id),
                terms=webhook.terms,
                webhook_id=webhook.pk,
            )
        ]
    )
    return run


def require_rights(webhook: Webhook) -> None:
    """Raises ZergError(``conflict``, 409), which says why nothing may run."""
    agent = webhook.agent
    if not webhook.enabled:
        raise ZergError("conflict", "This webhook is paused.")
    if not webhook.owner.is_active:
        raise ZergError("conflict", "The account of this webhook's owner is switched off.")
    if not agent.workspace.memberships.filter(user=webhook.owner_id).exists():
        raise ZergError("conflict", "This webhook's owner is no longer a member of the agent's workspace.")
    if agent.archived_at is not None:
        raise ZergError("conflict", "This webhook's agent is archived.")
    if webhook.thread_mode == Webhook.ThreadMode.BOUND and webhook.thread_id is None:
        raise ZergError("conflict", "The thread that this webhook wrote to was deleted.")


def _again(before: Received, sent: Sent) -> Answer:
    if before.digest != sent.digest:
        raise ZergError("key_reused", "A delivery with this id came before, with another body.")
    return Answer(_status_of(before.answer), before.answer, log.repeated(before, sent))


def _status_of(answer: Mapping[str, Any]) -> int:
    return 202 if "run_id" in answer else 200


def _room(webhook: Webhook, now: datetime) -> float:
    """What is left of the room for requests after this one. Raises TooFast when there is none."""
    since = (now - webhook.last_received_at).total_seconds() if webhook.last_received_at else math.inf
    # A clock that was set back must not shut anybody out.
    room = AT_ONCE if since < 0 else min(AT_ONCE, webhook.room + since * PER_SECOND)
    if room < 1:
        raise TooFast(max(1, math.ceil((1 - room) / PER_SECOND)))
    return room - 1


def _is_ping(webhook: Webhook, sent: Sent) -> bool:
    return webhook.style == Webhook.Style.GITHUB and sent.headers.get("x-github-event") == "ping"


def _thread_of(webhook: Webhook) -> int:
    """The thread that the owner chose; one of its own is made with the first run."""
    if webhook.thread_mode != Webhook.ThreadMode.NEW and webhook.thread_id is not None:
        return webhook.thread_id
    thread = create_thread(
        webhook.agent,
        owner=webhook.owner,
        title=webhook.name[:200],
        thread_type=Thread.Type.SCHEDULE,
        title_by_person=True,
    )
    if webhook.thread_mode == Webhook.ThreadMode.OWN:
        webhook.thread = thread
    return thread.pk


def _key(webhook: Webhook, delivery_id: str | None) -> str | None:
    if delivery_id is None:
        return None
    key = f"webhook:{webhook.pk}:{delivery_id}"
    if len(key) <= LONGEST_KEY:
        return key
    return f"webhook:{webhook.pk}:sha256:{hashlib.sha256(delivery_id.encode()).hexdigest()}"
