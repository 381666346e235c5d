"""What is kept of a request: enough to see what happened, no secret, and little of what strangers send."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.errors import ZergError
from triggers.models import Received, Webhook

KEPT = 200
"""So many of the requests that started nothing are kept of each webhook, the newest ones."""

MOST_OF_REFUSED = 64 * 1024
MOST_HEADERS, LONGEST_HEADER = 50, 1000
SECRET = re.compile(r"signature|authorization|cookie|token|secret|password|api-?key", re.IGNORECASE)
MOST_KNOWN = 10_000


@dataclass(frozen=True)
class Sent:
    """A request as it came; ``headers`` by their names in lower case."""

    body: bytes
    headers: Mapping[str, str]
    at: datetime
    is_test: bool = False

    @property
    def text(self) -> str:
        """The body as both databases can keep it."""
        return self.body.decode("utf-8", "replace").replace("\x00", "\ufffd")

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def shown_headers(self) -> dict[str, str]:
        """Those without anything that could open a door."""
        shown = [(name, value) for name, value in self.headers.items() if not SECRET.search(name)]
        return {name[:100]: value[:LONGEST_HEADER].replace("\x00", "") for name, value in shown[:MOST_HEADERS]}


class Pace:
    """How often something may be done for each of many: ``at_once`` together, and then ``per_second``. Per process."""

    def __init__(self, at_once: float, per_second: float) -> None:
        self._at_once, self._per_second = at_once, per_second
        self._left: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, whom: int) -> bool:
        """Whether it may be done once more; if so, there is room for one less."""
        with self._lock:
            now = time.monotonic()
            left, then = self._left.get(whom, (self._at_once, now))
            left = min(self._at_once, left + (now - then) * self._per_second)
            self._left[whom] = (left - 1 if left >= 1 else left, now)
            self._left.move_to_end(whom)
            if len(self._left) > MOST_KNOWN:
                self._left.popitem(last=False)
            return left >= 1


# Whoever knows the secret is the owner's own; a stranger may write a line every ten seconds.
_of_strangers, _of_known = Pace(at_once=20, per_second=0.1), Pace(at_once=KEPT, per_second=2)


def accepted(webhook: Webhook, sent: Sent, delivery_id: str | None, **fields: Any) -> Received:
    """The row of a request that was accepted, inside the transaction of what it started."""
    return _row(webhook, sent, Received.Verdict.ACCEPTED, body=sent.text, delivery_id=delivery_id, **fields)


def repeated(before: Received, sent: Sent) -> Received | None:
    """A line for a delivery that came before; None where there are too many of them to write each down."""
    if not _of_known.allows(before.webhook_id):
        return None
    row = _row(
        before.webhook,
        sent,
        Received.Verdict.REPEATED,
        delivery_id=before.delivery_id,
        run_id=before.run_id,
        answer=before.answer,
        reason=f"It is the same as request {before.pk}.",
    )
    _forget_old(before.webhook)
    return row


def refused(webhook: Webhook, sent: Sent, error: ZergError, *, by_stranger: bool) -> Received | None:
    """A line for a refused request; None where there are too many of them to write each down."""
    pace = _of_strangers if by_stranger else _of_known
    if not sent.is_test and not pace.allows(webhook.pk):
        return None
    body = sent.text[:MOST_OF_REFUSED] if by_stranger else sent.text
    row = _row(webhook, sent, Received.Verdict.REFUSED, body=body, reason=error.message[:300], answer=error.as_json())
    _forget_old(webhook)
    return row


def _row(webhook: Webhook, sent: Sent, verdict: Received.Verdict, **fields: Any) -> Received:
    return Received.objects.create(
        webhook=webhook,
        verdict=verdict,
        headers=sent.shown_headers,
        digest=sent.digest,
        is_test=sent.is_test,
        received_at=sent.at,
        **fields,
    )


def _forget_old(webhook: Webhook) -> None:
    over = webhook.received.exclude(verdict=Received.Verdict.ACCEPTED).order_by("-id").values_list("pk", flat=True)
    if old := list(over[KEPT : KEPT + 50]):
        Received.objects.filter(pk__in=old).delete()
