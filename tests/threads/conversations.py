"""Things said in a thread, without anybody to say them."""

from __future__ import annotations

from accounts.models import User
from threads.models import Thread, ThreadMessage
from threads.services import add_message, change


def talk(thread: Thread, owner: User, question: str, answer: str) -> tuple[ThreadMessage, ThreadMessage]:
    """A question (none: "") and its answer, as the last rows of both; gives them."""
    with change(thread.pk) as locked:
        asked = add_message(locked, role="user", content=question, author=owner) if question else locked.leaf
        answered = add_message(locked, role="assistant", content=answer, source="agent")
    assert asked is not None
    thread.refresh_from_db()
    return asked, answered
