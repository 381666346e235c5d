"""Messages to the outside about the end of a run: rows that are written with the end and sent after it.

    waiting ──claim──> sending ──settle──> sent | failed
       ^                  │
       └──────settle──────┘        (not this time: again after a while)

The row is the truth. Every change is a conditional update whose row count decides, so that of several senders one has a
delivery at a time; one that died with its sender is claimed again when its lease is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Min, QuerySet
from django.utils import timezone

from accounts.models import User
from common.errors import ZergError
from common.prepared import prepared
from runs.hints import wake_sender
from runs.models import Delivery, OutgoingHook, Run
from threads.models import Thread

WAITS = (10, 60, 300, 1800, 7200, 28_800)
"""Seconds before each further try: the last is made some ten hours after the first."""
LEASE = timedelta(minutes=3)
"""Longer than any conversation with a server lasts, each step of which has ten seconds."""
PER_OWNER = 5
"""So many of one person's are sent at once: a server that hangs keeps only its own person waiting."""
ERROR_CHARS = 300
KEPT = timedelta(days=90)


@dataclass(frozen=True)
class Verdict:
    """What became of one try. ``status`` is that of the answer, if there was one; an empty ``error`` is success.

    ``is_final`` says that no other try would fare better; ``is_gone`` that the receiver wants no more of them.
    """

    status: int | None = None
    error: str = ""
    is_final: bool = False
    is_gone: bool = False


def email_is_set_up() -> bool:
    """Whether this Zerg can send e-mail. Where it cannot, forms say so."""
    return bool(settings.EMAIL_IS_SET_UP)


def write(run: Run, thread: Thread) -> None:
    """Writes what the run's terms ask to be sent, in the transaction of its end, and wakes a sender after it."""
    terms, owner = run.terms, thread.owner_id
    rows = []
    if terms.email:
        target = User.objects.values_list("email", flat=True).get(pk=owner)
        rows.append(Delivery(owner_id=owner, run=run, way=Delivery.Way.EMAIL, target=target))
    hook = OutgoingHook.objects.filter(pk=terms.hook_id, owner=owner, enabled=True).first() if terms.hook_id else None
    if hook is not None:
        rows.append(Delivery(owner_id=owner, run=run, way=Delivery.Way.HOOK, hook=hook, target=hook.url))
    if rows:
        Delivery.objects.bulk_create(rows)
        transaction.on_commit(wake_sender)


def claim(most: int, under_way: Mapping[int, int]) -> list[Delivery]:
    """Takes up to ``most`` that are due, of each person the longest due first, and of as many people as wait.

    ``under_way`` counts by owner what this sender is sending already.
    """
    if not _one_unsent():  # as nearly always, and that is quickly told
        return []
    now = timezone.now()
    full = [owner for owner, count in under_way.items() if count >= PER_OWNER]
    due = Delivery.objects.filter(next_try_at__lte=now).exclude(owner__in=full)
    owners = due.order_by().values("owner").annotate(first=Min("next_try_at")).order_by("first", "owner")
    taken: list[Delivery] = []
    for owner in owners.values_list("owner", flat=True)[:most]:
        room = min(most - len(taken), PER_OWNER - under_way.get(owner, 0))
        for row in due.filter(owner=owner).order_by("next_try_at", "pk")[: max(room, 0)]:
            mine = Delivery.objects.filter(pk=row.pk, status=row.status, next_try_at=row.next_try_at)
            if mine.update(status=Delivery.Status.SENDING, next_try_at=now + LEASE, tries=F("tries") + 1):
                row.tries += 1
                taken.append(row)
    return taken


@prepared
def _one_unsent() -> QuerySet[Delivery, int]:
    return Delivery.objects.exclude(next_try_at=None).order_by().values_list("pk", flat=True)[:1]


def settle(delivery: Delivery, verdict: Verdict) -> bool:
    """Writes down what became of a claimed delivery. False when somebody else has claimed it since."""
    now = timezone.now()
    again = now + timedelta(seconds=WAITS[delivery.tries - 1]) if delivery.tries <= len(WAITS) else None
    if not verdict.error:
        change = {"status": Delivery.Status.SENT, "next_try_at": None, "sent_at": now}
    elif verdict.is_final or again is None or delivery.is_test:
        change = {"status": Delivery.Status.FAILED, "next_try_at": None}
    else:
        change = {"status": Delivery.Status.WAITING, "next_try_at": again}
    with transaction.atomic():
        is_written = Delivery.objects.filter(
            pk=delivery.pk, status=Delivery.Status.SENDING, tries=delivery.tries
        ).update(last_status=verdict.status, last_error=verdict.error[:ERROR_CHARS], **change)
        if is_written and verdict.is_gone:
            OutgoingHook.objects.filter(pk=delivery.hook_id or 0).update(enabled=False)
    return bool(is_written)


def send_again(delivery: Delivery) -> None:
    """A person wants it tried now. Raises ZergError(``conflict``, 409) for one that was sent or is just being sent."""
    open_ones = Delivery.objects.filter(
        pk=delivery.pk, is_test=False, status__in=[Delivery.Status.WAITING, Delivery.Status.FAILED]
    )
    with transaction.atomic():
        if not open_ones.update(status=Delivery.Status.WAITING, next_try_at=timezone.now()):
            raise ZergError("conflict", "It was sent already, or is being sent just now. Look again in a moment.")
        transaction.on_commit(wake_sender)


def begin_test(hook: OutgoingHook) -> Delivery:
    """A delivery without a run, claimed already by who tries the webhook."""
    return Delivery.objects.create(
        owner_id=hook.owner_id,
        hook=hook,
        way=Delivery.Way.HOOK,
        target=hook.url,
        is_test=True,
        status=Delivery.Status.SENDING,
        tries=1,
        next_try_at=timezone.now() + LEASE,
    )


def prune() -> None:
    """Removes what was settled long ago."""
    Delivery.objects.filter(created_at__lt=timezone.now() - KEPT, next_try_at=None).delete()
