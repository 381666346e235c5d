"""What is news to a person: how far each has read each thread, and the answers that came since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.dispatch import Signal
from django.utils import timezone

from accounts.models import User
from threads.models import Thread, ThreadMessage, ThreadRead
from threads.pages import Item
from threads.window import Window, query

was_read = Signal()
"""A person has read a thread up to the row ``seq``: ``user``, ``thread_id``, ``seq``."""

Role, Status = ThreadMessage.Role, ThreadMessage.Status

NOTHING_NEW = ("Nothing new.", "Nothing new")
"""What an agent says that has looked and found nothing to tell."""
NEWS = Q(role=Role.ASSISTANT, status__in=[Status.COMPLETE, Status.FAILED]) & (~Q(content="") | ~Q(error_code=""))
NEWS &= ~Q(content__in=NOTHING_NEW, error_code="")
"""An answer, or why there is none. What says nothing or nothing new, and what a person stopped, is no news."""


def is_news(message: ThreadMessage) -> bool:
    """The same of a row that is at hand."""
    is_settled = message.role == Role.ASSISTANT and message.status in {Status.COMPLETE, Status.FAILED}
    return is_settled and bool(message.content or message.error_code)


@dataclass(frozen=True)
class Line:
    """Where what is new to a person begins in a window: above ``item``.

    ``first`` is the query string of the window that it really begins in, when that is further up.
    """

    item: Item
    since: datetime
    first: str


def line_in(window: Window, place: ThreadRead | None) -> Line | None:
    """None for who was never here, and where nothing is new."""
    new = [item for item in window.items if place and (item.message.seq or 0) > place.seq]
    if place is None or window.address or not any(is_news(item.message) for item in new):
        return None
    is_further_up = new[0] is window.items[0] and window.earlier
    return Line(new[0], place.seen_at, query("after", place.seq, "") if is_further_up and place.seq else "")


def with_unread(threads: QuerySet[Thread], user: User) -> QuerySet[Thread]:
    """The same threads with ``unread``: whether something in them is news to ``user``."""
    read = ThreadRead.objects.filter(thread=OuterRef("pk"), user=user).values("seq")[:1]
    news = ThreadMessage.objects.filter(NEWS, thread=OuterRef("pk"), seq__gt=OuterRef("read_seq"))
    return threads.annotate(read_seq=Coalesce(Subquery(read), 0), unread=Exists(news))


def place_of(thread: Thread, user: User) -> ThreadRead | None:
    """Where ``user`` is in ``thread``; None for one who was never there."""
    return ThreadRead.objects.filter(thread=thread, user=user).first()


def mark_read(thread: Thread, user: User, *, seq: int) -> None:
    """``user`` has read up to the row ``seq``. A tab that is behind another takes nothing back."""
    seq = min(seq, thread.last_seq)
    _move(thread, user, seq, Q(seq__lt=seq))
    was_read.send(Thread, user=user, thread_id=thread.pk, seq=seq)


def mark_unread(thread: Thread, user: User) -> None:
    """The thread's last news become news again."""
    last = ThreadMessage.objects.filter(NEWS, thread=thread).order_by("-seq").first()
    if last is not None:
        _move(thread, user, (last.seq or 1) - 1, Q())


def pass_over(thread: Thread, user_id: int, *, run_id: int) -> None:
    """What the run has said in the thread is no news, inside ``change``: who had read all before it has read it, too.

    Where something else is unread the person's place stays, and so does what is unread.
    """
    place = ThreadRead.objects.filter(thread=thread, user=user_id).first()
    seq = place.seq if place else 0
    if ThreadMessage.objects.filter(NEWS, thread=thread, seq__gt=seq).exclude(run_id=run_id).exists():
        return
    if place is None:
        # Never here: what comes is new since the thread began.
        row = ThreadRead(thread=thread, user_id=user_id, seq=thread.last_seq, seen_at=thread.created_at)
        ThreadRead.objects.bulk_create([row], ignore_conflicts=True)
        return
    # The person may be reading just now, or marking it as unread, which takes the place back.
    ThreadRead.objects.filter(pk=place.pk, seq__gte=seq, seq__lt=thread.last_seq).update(seq=thread.last_seq)


def _move(thread: Thread, user: User, seq: int, only: Q) -> None:
    place, now = ThreadRead.objects.filter(only, thread=thread, user=user), timezone.now()
    if not place.update(seq=seq, seen_at=now):
        ThreadRead.objects.bulk_create([ThreadRead(thread=thread, user=user)], ignore_conflicts=True)
        place.update(seq=seq, seen_at=now)  # by now another tab may have been here, too
