"""New versions of what was said: a message edited, an answer gone on from. What was there before stays."""

from __future__ import annotations

from itertools import dropwhile, islice

from django.db import transaction

from accounts.models import User
from common.errors import ZergError
from runs.models import Run
from runs.services import start_run
from threads.models import Thread, ThreadMessage
from threads.services import AT_THE_BEGINNING, add_message, change, create_thread
from threads.transcript import is_said, walk_back

GO_ON = "Continue exactly where your last message broke off."
LAST = 20
TITLE_ROOM = 180
COPIED = ("role", "content", "reasoning", "html", "tool_calls", "tool_call_id", "name", "status", "source", "author",
          "timestamp")  # fmt: skip
"""Of a message that is taken along; what it cost stays where it was paid."""


def edit(message: ThreadMessage, *, text: str, author: User, key: str | None = None) -> Run:
    """Sends another version of a person's message: a sibling, with a run under it.

    While the thread is being worked on, its busy policy decides, as for every message. Raises ZergError(``conflict``,
    409) for what is not a person's, or still waits (``runs.queue.edit`` changes that).
    """
    if message.role != ThreadMessage.Role.USER or message.seq is None:
        raise ZergError("conflict", "Only what a person has said can be edited, once its turn has come.")
    after = message.parent_id or AT_THE_BEGINNING
    return start_run(message.thread, text=text, author=author, trigger=Run.Trigger.CHAT, key=key, after=after)


def require_end(thread: Thread, message_id: int) -> None:
    """A branch begins after something whole. Raises ZergError(``conflict``, 409) in the middle of tool calls."""
    message = ThreadMessage.objects.filter(thread=thread, pk=message_id).first()
    if (
        message is None
        or message.tool_calls
        or message.status
        in (
            ThreadMessage.Status.STREAMING,
            ThreadMessage.Status.QUEUED,
        )
    ):
        raise ZergError("conflict", "A branch begins after a whole answer. Take one that has ended.")


def go_on(message: ThreadMessage, *, author: User) -> Run:
    """Has an answer completed that broke off, by a message that follows it. Raises ZergError(``conflict``, 409)."""
    if message.role != ThreadMessage.Role.ASSISTANT or not message.content:
        raise ZergError("conflict", "Only an answer that has begun can be continued. Retry instead.")
    require_end(message.thread, message.pk)
    return start_run(message.thread, text=GO_ON, author=author, trigger=Run.Trigger.CHAT, after=message.pk)


def begin_anew(run: Run, *, author: User) -> Run:
    """Asks the run's question in a new thread that begins with the LAST messages before it; the old thread stays.

    Raises ZergError(``conflict``, 409) for a run without a question.
    """
    question = run.input_message
    if question is None or question.seq is None:
        raise ZergError("conflict", "This run has no question that could be asked again. Send a new message instead.")
    title = f"{run.thread.title[:TITLE_ROOM]} (continued)"
    with transaction.atomic():
        thread = create_thread(run.thread.agent, owner=author, title=title)
        with change(thread.pk) as locked:
            for row in _last_before(question):
                add_message(locked, **{name: getattr(row, name) for name in COPIED})
        return start_run(thread, text=question.content, author=author, trigger=Run.Trigger.CHAT)


def _last_before(question: ThreadMessage) -> list[ThreadMessage]:
    """At most LAST rows, from a question on: a call is never without its results, nor a result without its call."""
    said = (row for row in walk_back(question.thread_id, question.parent_id) if is_said(row))
    rows = list(islice((row for row in said if row.kind == ThreadMessage.Kind.MESSAGE), LAST))[::-1]
    return list(dropwhile(lambda row: row.role != ThreadMessage.Role.USER, rows))
