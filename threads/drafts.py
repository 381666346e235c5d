"""What is being written is kept for its writer's other browsers. The newest wins, by the clock of who types."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from accounts.models import User
from threads.models import Thread, ThreadDraft
from threads.services import clean_content

INSTANT = timedelta(milliseconds=1)
"""What a browser's clock can tell apart."""


@dataclass(frozen=True)
class Written:
    """What stands in a composer. ``at`` is in milliseconds since 1970, ``why`` says why it was not sent."""

    text: str = ""
    at: int = 0
    why: str = ""


def moment_of(milliseconds: int | None) -> datetime:
    """The time on a browser's clock; now, where there is none. One that is ahead of ours must not win for ever."""
    now = timezone.now()
    return now if milliseconds is None else min(now, datetime.fromtimestamp(milliseconds / 1000, UTC))


def written_in(thread: Thread, *, by: User) -> Written:
    """What ``by`` was writing into the thread when they left it, in whichever browser."""
    draft = ThreadDraft.objects.for_user(by).filter(thread=thread).first()
    return Written(draft.text, round(draft.changed_at.timestamp() * 1000)) if draft else Written()


def save_draft(thread: Thread, *, by: User, text: str, at: datetime) -> None:
    """Keeps ``text`` unless a newer one is there already. Raises ZergError for text that cannot be stored."""
    _write(thread, by, clean_content(text) if text.strip() else "", at)


def clear_draft(thread: Thread, *, by: User, at: datetime) -> None:
    """It was sent: what was typed until ``at`` is a draft no more, also where it is still on its way here."""
    _write(thread, by, "", at + INSTANT)


def _write(thread: Thread, user: User, text: str, at: datetime) -> None:
    drafts = ThreadDraft.objects.filter(user=user, thread=thread)
    if not drafts.filter(changed_at__lt=at).update(text=text, changed_at=at):
        ThreadDraft.objects.bulk_create(
            [ThreadDraft(user=user, thread=thread, text=text, changed_at=at)], ignore_conflicts=True
        )
