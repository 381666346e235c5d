"""The verbs around a run. Whoever starts one, whatever the door, calls ``start_run``."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from agents.models import Agent, AgentVersion
from common.errors import ZergError
from runs import states
from runs.hints import wake_worker
from runs.models import UNFINISHED, Run, RunStatus
from threads.models import Thread, ThreadMessage
from threads.services import add_message, change, clean_content, name_after, require_same

SOURCE_OF = {
    Run.Trigger.CHAT: ThreadMessage.Source.USER,
    Run.Trigger.MANUAL: ThreadMessage.Source.USER,
    Run.Trigger.SCHEDULE: ThreadMessage.Source.SCHEDULE,
    Run.Trigger.WEBHOOK: ThreadMessage.Source.WEBHOOK,
    Run.Trigger.API: ThreadMessage.Source.API,
    Run.Trigger.AGENT: ThreadMessage.Source.AGENT,
}
PEOPLE = {Run.Trigger.CHAT, Run.Trigger.MANUAL, Run.Trigger.API}


def start_run(thread: Thread, *, text: str | None, author: User, trigger: Run.Trigger, key: str | None = None) -> Run:
    """Stores a message and a queued run for it, in one transaction, and wakes a worker after the commit.

    ``text`` None starts a run on the thread as it stands. The same ``key`` again gives the same run; with another text
    it is refused (``key_reused``). Raises ZergError for text that cannot be stored.
    """
    content = clean_content(text) if text is not None else None
    try:
        with change(thread.pk) as locked:
            run = _same_run(locked, content, key) or _new_run(locked, content, author, trigger, key)
            if run.status == RunStatus.QUEUED:
                transaction.on_commit(lambda: wake_worker(run.pk))
            return run
    except IntegrityError:
        # Databases that lock the thread's row never come here; the constraint is what makes it certain.
        with change(thread.pk) as locked:
            again = _same_run(locked, content, key)
            if again is None:
                raise
            return again


def _same_run(thread: Thread, content: str | None, key: str | None) -> Run | None:
    run = Run.objects.filter(thread=thread, key=key).select_related("input_message").first() if key else None
    if run and run.input_message and content is not None:
        require_same(run.input_message, role=ThreadMessage.Role.USER, content=content)
    return run


def _new_run(thread: Thread, content: str | None, author: User, trigger: Run.Trigger, key: str | None) -> Run:
    is_busy = Run.objects.filter(thread=thread, status__in=UNFINISHED).exists()
    run = Run.objects.create(
        thread=thread,
        agent_id=thread.agent_id,
        agent_version=AgentVersion.objects.filter(agent=thread.agent_id).order_by("-number").first(),
        actor=author,
        trigger=trigger,
        position=_position(trigger, is_busy, content),
        key=key,
        queued_at=timezone.now(),
        version=thread.version,
    )
    if content is not None:
        name_after(thread, content)
        run.input_message = add_message(
            thread,
            queued=is_busy,
            role=ThreadMessage.Role.USER,
            content=content,
            source=SOURCE_OF[trigger],
            author=author,
            client_message_id=key,
            run_id=run.pk,
        )
        run.save(update_fields=["input_message"])
    return run


def _position(trigger: Run.Trigger, is_busy: bool, content: str | None) -> int:
    if not is_busy and content is not None:
        return Run.Position.HEAD
    return Run.Position.PERSON if trigger in PEOPLE else Run.Position.BACKGROUND


def run_agent(
    agent: Agent, *, actor: User, thread: Thread, text: str, trigger: Run.Trigger, key: str | None = None
) -> Run:
    """Runs an agent by itself: with ``text``, else its task instructions. Raises ZergError when both are empty."""
    prompt = text.strip() or agent.task_instructions.strip()
    if not prompt:
        raise ZergError(
            "nothing_to_do",
            f"{agent.name} has no task instructions, so there is nothing to run. Write some, or send a message.",
        )
    return start_run(thread, text=prompt, author=actor, trigger=trigger, key=key)


def cancel(run: Run) -> Run:
    """Stops a run: at once in the queue, within a second in a worker. Raises ZergError(``already_finished``, 409)."""
    with change(run.thread_id) as thread:
        current = Run.objects.select_for_update().get(pk=run.pk)
        if current.is_finished:
            raise ZergError("already_finished", f"Run {run.pk} has already ended: {current.get_status_display()}.")
        if current.status == RunStatus.QUEUED:
            states.finish_unheld(current, thread, status=RunStatus.CANCELLED, reason=Run.Reason.STOPPED_BY_USER)
            _withdraw(thread, current)
            transaction.on_commit(lambda: wake_next(thread.pk))
        elif current.cancel_requested_at is None:
            Run.objects.filter(pk=run.pk).update(cancel_requested_at=Now(), note="Stopping", version=thread.version)
    return Run.objects.get(pk=run.pk)


def _withdraw(thread: Thread, run: Run) -> None:
    """A message that never joined the transcript is withdrawn with its run."""
    if run.input_message_id is None:
        return
    ThreadMessage.objects.filter(pk=run.input_message_id, status=ThreadMessage.Status.QUEUED).update(
        status=ThreadMessage.Status.STOPPED, version=thread.version
    )


def wake_next(thread_id: int) -> None:
    """Hints at the thread's next queued run, if one waits."""
    following = Run.objects.filter(thread=thread_id, status=RunStatus.QUEUED).order_by("position", "id").first()
    if following:
        wake_worker(following.pk)


def retry(run: Run, *, actor: User) -> Run:
    """Answers the same message again; the new answer becomes a sibling of the old one, and both stay."""
    if not run.is_finished:
        raise ZergError("conflict", f"Run {run.pk} has not ended yet. Stop it first.")
    with change(run.thread_id) as thread:
        message = run.input_message
        if Run.objects.filter(thread=thread, status__in=UNFINISHED).exists():
            raise ZergError("conflict", "This thread is being worked on. Retry when that has ended, or stop it.")
        if message and message.seq is not None:
            thread.leaf = message
        again = _new_run(thread, None, actor, Run.Trigger(run.trigger), None)
        again.input_message = message
        again.save(update_fields=["input_message"])
        if message and message.seq is None:  # it was withdrawn from the queue before it was ever part of the thread
            message.status = ThreadMessage.Status.QUEUED
            message.save(update_fields=["status"])
        transaction.on_commit(lambda: wake_worker(again.pk))
    return again
