"""What can happen to a message that waits, and to what it waits for. Claiming takes the same lock: one of them wins."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from common.errors import ZergError
from runs import states
from runs.hints import wake_worker
from runs.models import ACTIVE, UNFINISHED, Run, RunStatus
from threads.models import Thread, ThreadMessage
from threads.services import change, clean_content, digest

BEGINNING = Q(status__in=ACTIVE) | Q(status=RunStatus.QUEUED, position=Run.Position.HEAD)
"""What a thread is being worked on with, and what is in its transcript and about to be."""


def edit(message: ThreadMessage, *, text: str) -> ThreadMessage:
    """Changes a message that waits. Raises ZergError(``conflict``, 409) once its turn has come."""
    content = clean_content(text)
    with change(message.thread_id) as thread:
        waiting = _waiting(thread, message).input_message
        assert waiting is not None, "what waits is a run with its message"
        # Whoever sent it may not have heard so, and sends it again as it was.
        waiting.sent_digest = waiting.sent_digest or digest(waiting.content)
        waiting.content = content
        waiting.version = thread.version
        waiting.save(update_fields=["content", "sent_digest", "version"])
    return waiting


def remove(message: ThreadMessage) -> Run:
    """Takes back a message that waits; gives its run. Raises ZergError(``conflict``, 409) once its turn has come."""
    with change(message.thread_id) as thread:
        run = _waiting(thread, message)
        withdraw(thread, run)
        transaction.on_commit(lambda: wake_next(thread.pk))
    return run


def send_now(message: ThreadMessage) -> Run:
    """Stops what the thread is being worked on, and gives a message that waits the next turn.

    Gives its run. Raises ZergError(``conflict``, 409) once its turn has come.
    """
    with change(message.thread_id) as thread:
        run = _waiting(thread, message)
        queued = Run.objects.filter(thread=thread, status=RunStatus.QUEUED)
        # Of several that were to be next, the last one is meant.
        queued.filter(position=Run.Position.NEXT, cancel_requested_at=None).update(position=Run.Position.PERSON)
        queued.filter(pk=run.pk).update(position=Run.Position.NEXT, version=thread.version)
        stop_all(thread, BEGINNING)
        transaction.on_commit(lambda: wake_next(thread.pk))
    return run


def make_way(thread: Thread) -> int:
    """What the thread's policy does with what comes while it is being worked on; inside ``change``.

    Gives the place of the new run in the queue. Raises ZergError(``busy``, 409) where it is refused.
    """
    if thread.busy_policy == Thread.BusyPolicy.REFUSE:
        raise ZergError(
            "busy",
            "The agent is at work in this thread, which takes nothing until it has ended. Wait for it, or stop it.",
        )
    if thread.busy_policy == Thread.BusyPolicy.REPLACE:
        # A message that was itself to replace something joins the transcript in its turn, and is stopped there.
        stop_all(thread, BEGINNING | Q(status=RunStatus.QUEUED, position=Run.Position.NEXT))
        return Run.Position.NEXT
    return Run.Position.PERSON


def stop_all(thread: Thread, which: Q) -> None:
    """Asks runs of the thread to stop: within a second where one is under way, else as soon as its turn has come."""
    Run.objects.filter(which, thread=thread, status__in=UNFINISHED, cancel_requested_at=None).update(
        cancel_requested_at=Now(), note="Stopping", version=thread.version
    )


def withdraw(thread: Thread, run: Run) -> None:
    """Ends a run in the queue. A message that never joined the transcript is withdrawn with it."""
    states.finish_unheld(run, thread, status=RunStatus.CANCELLED, reason=Run.Reason.STOPPED_BY_USER)
    if run.input_message_id is not None:
        ThreadMessage.objects.filter(pk=run.input_message_id, status=ThreadMessage.Status.QUEUED).update(
            status=ThreadMessage.Status.STOPPED, version=thread.version
        )


def wake_next(thread_id: int) -> None:
    """Hints at the thread's next queued run, if one waits."""
    following = Run.objects.filter(thread=thread_id, status=RunStatus.QUEUED).order_by("position", "id").first()
    if following:
        wake_worker(following.pk)


def _waiting(thread: Thread, message: ThreadMessage) -> Run:
    runs = Run.objects.filter(thread=thread, status=RunStatus.QUEUED, input_message__status=ThreadMessage.Status.QUEUED)
    run = runs.filter(input_message=message).select_related("input_message").first()
    if run is None:
        raise ZergError("conflict", "This message no longer waits: its turn has come, or it was taken back.")
    return run
