"""How a person keeps their list of threads in order. Nothing that is said in a thread changes by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.utils import timezone

from accounts.models import User
from threads.models import Thread
from threads.reading import mark_read, mark_unread


def archive(user: User, ids: Iterable[int]) -> int:
    """Out of the list, until they are restored; gives how many were in it."""
    return Thread.objects.for_user(user).filter(pk__in=ids, archived_at=None).update(archived_at=timezone.now())


def restore(user: User, ids: Iterable[int]) -> int:
    return Thread.objects.for_user(user).filter(pk__in=ids).exclude(archived_at=None).update(archived_at=None)


def pin(user: User, ids: Iterable[int]) -> int:
    """To the top of the list, the last one first."""
    return Thread.objects.for_user(user).filter(pk__in=ids, pinned_at=None).update(pinned_at=timezone.now())


def unpin(user: User, ids: Iterable[int]) -> int:
    return Thread.objects.for_user(user).filter(pk__in=ids).exclude(pinned_at=None).update(pinned_at=None)


def read(user: User, ids: Iterable[int]) -> int:
    """They hold no news for the person any more."""
    threads = list(Thread.objects.for_user(user).filter(pk__in=ids).only("last_seq"))
    for thread in threads:
        mark_read(thread, user, seq=thread.last_seq)
    return len(threads)


def unread(user: User, ids: Iterable[int]) -> int:
    """Their last answers are news again."""
    threads = list(Thread.objects.for_user(user).filter(pk__in=ids).only("pk"))
    for thread in threads:
        mark_unread(thread, user)
    return len(threads)


def arrange(user: User, thread: Thread, *, pinned: bool | None = None, archived: bool | None = None) -> None:
    """Pins, unpins, archives or restores one thread, where that is asked for."""
    if pinned is not None:
        (pin if pinned else unpin)(user, [thread.pk])
    if archived is not None:
        (archive if archived else restore)(user, [thread.pk])
    thread.refresh_from_db(fields=["pinned_at", "archived_at"])


DEEDS: dict[str, tuple[Callable[[User, Iterable[int]], int], str]] = {
    "archive": (archive, "archived"),
    "restore": (restore, "back in the list"),
    "pin": (pin, "pinned"),
    "unpin": (unpin, "no longer pinned"),
    "read": (read, "marked as read"),
    "unread": (unread, "marked as unread"),
}
"""What can be done with several at once, and how it is said when it is done."""
