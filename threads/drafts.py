"""What is being written into a thread is kept for its writer's other browsers. The newest wins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from common.drafts import INSTANT, milliseconds_of
from threads.models import Thread, ThreadDraft
from threads.services import clean_content


@dataclass(frozen=True)
class Written:
    """What stands in a composer. ``at`` is in milliseconds since 1970, ``why`` says why it was not sent."""

    text: str = ""
    at: int = 0
    why: str = ""


def written_in(thread: Thread, *, by: User) -> Written:
    """What ``by`` was writing into the thread when they left it, in whichever browser."""
    draft = ThreadDraft.objects.for_user(by).filter(thread=thread).first()
    return Written(draft.text, milliseconds_of(draft.changed_at)) if draft else Written()


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
