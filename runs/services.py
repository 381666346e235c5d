"""The verbs around a run. Whoever starts one, whatever the door, calls ``start_run``."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import User
from agents.catalog import choose
from agents.models import Agent, AgentVersion, MemoryStrategy
from common.errors import ZergError
from runs import notices, queue
from runs.hints import wake_worker, wake_workers
from runs.models import ACTIVE, UNFINISHED, Notice, Run, RunStatus
from runs.results import CONFIRMED, add_result, answer_open_calls, in_doubt
from runs.starting import Start, new_runs, same_runs, worked_on
from threads.context import context_of
from threads.models import Thread, ThreadMessage
from threads.services import change, changes, clean_content


def start_run(
    thread: Thread,
    *,
    text: str | None,
    author: User,
    trigger: Run.Trigger,
    key: str | None = None,
    after: int | None = None,
) -> Run:
    """Stores a message and a queued run for it, in one transaction, and wakes a worker after the commit.

    ``after`` makes a branch: the id of the message that it follows, or AT_THE_BEGINNING. ``text`` None starts a run on
    the thread as it stands. The same ``key`` again gives the same run; with another text it is refused
    (``key_reused``). While the thread is being worked on, its busy policy says what becomes of messages.
    Raises ZergError for text that cannot be stored, and (``busy``) where the policy is to refuse.
    """
    start = Start(thread.pk, clean_content(text) if text is not None else None, author, trigger, key, after)
    try:
        return start_runs([start])[0]
    except IntegrityError:
        # Databases that lock the thread's row never come here; the constraint is what makes it certain.
        if again := same_runs([start]):
            return again[start]
        raise


def start_runs(starts: Sequence[Start], *, made: Collection[Thread] = ()) -> list[Run]:
    """Does what ``start_run`` does, for many at once: the same runs in the same order, in one transaction.

    ``made`` are those of the threads that were made in it: nothing is in them, and nobody else knows them.
    """
    new_ones = {thread.pk for thread in made}
    with changes({start.thread_id for start in starts}, made=made) as threads:
        same = same_runs([start for start in starts if start.thread_id not in new_ones])
        there = tuple(thread_id for thread_id in threads if thread_id not in new_ones)
        busy = set(worked_on(there)) if there else set()
        new = iter(new_runs([start for start in starts if start not in same], threads, busy))
        runs = [same.get(start) or next(new) for start in starts]
        queued = [run.pk for run in runs if run.status == RunStatus.QUEUED]
        transaction.on_commit(lambda: wake_workers(queued))
    return runs


def run_agent(
    agent: Agent, *, actor: User, thread: Thread, text: str, trigger: Run.Trigger, key: str | None = None
) -> Run:
    """Runs an agent by itself: with ``text``, else its task instructions. Raises ZergError when both are empty."""
    return start_run(thread, text=prompt_for(agent, text), author=actor, trigger=trigger, key=key)


def prompt_for(agent: Agent, text: str) -> str:
    """What an agent that runs by itself is told: ``text``, else its task. Raises ZergError when both are empty."""
    prompt = text.strip() or agent.task_instructions.strip()
    if not prompt:
        raise ZergError(
            "nothing_to_do",
            f"{agent.name} has no task instructions, so there is nothing to run. Write some, or send a message.",
        )
    return prompt


def cancel(run: Run) -> Run:
    """Stops a run: at once in the queue, within a second in a worker. Raises ZergError(``already_finished``, 409)."""
    with change(run.thread_id) as thread:
        current = Run.objects.select_for_update().get(pk=run.pk)
        if current.is_finished:
            raise ZergError("already_finished", f"Run {run.pk} has already ended: {current.get_status_display()}.")
        if current.status == RunStatus.QUEUED:
            queue.withdraw(thread, current)
            if not Run.objects.filter(thread=thread, status__in=ACTIVE).exists():
                answer_open_calls(current, thread, stopped=True, code="", message="")
            transaction.on_commit(lambda: queue.wake_next(thread.pk))
        else:
            queue.stop_all(thread, Q(pk=run.pk))
    return Run.objects.get(pk=run.pk)


def try_now(run: Run) -> None:
    """A call that waits to be made again is made within a second. Nothing happens to a run that waits for none."""
    with change(run.thread_id) as thread:
        waiting = Run.objects.filter(pk=run.pk, status=RunStatus.RUNNING, cancel_requested_at=None)
        waiting.exclude(again_at=None).update(again_at=None, note="Trying again", version=thread.version)


def retry(
    run: Run,
    *,
    actor: User,
    model: str = "",
    with_tools: bool = True,
    summary: bool = False,
    same_version: bool = False,
) -> Run:
    """Answers the same message again; the new answer becomes a sibling of the old one, and both stay.

    ``model`` answers instead of the agent's, this once. Raises ZergError where no connected provider can have it.
    With ``same_version`` the agent is once more what it was then, not what it is now.
    With ``summary``, what came before is folded into one first, and from now on the thread remembers so.
    Where a call may have happened, the new run makes that call again and goes on from there: what was finished before
    stays finished. Raises ZergError(``conflict``, 409) while the thread is being worked on.
    """
    if model:
        choose(run.agent, model)
    with change(run.thread_id) as thread:
        _require_rest(run, thread)
        message = run.input_message
        if doubtful := in_doubt(run):
            thread.leaf = doubtful.parent
        elif message and message.seq is not None:
            thread.leaf = message
        window = _remember_by_summary(thread) if summary else None
        version = run.agent_version if same_version else None
        return _go_on(
            run, thread, actor, asked_model=model, with_tools=with_tools, asked_window=window, asked_version=version
        )


def _remember_by_summary(thread: Thread) -> int | None:
    """Gives the tokens that the next request is to be made for, so that it is folded whatever the model is said to
    read: half of what the last one had. None where no model is at hand, which its run will say."""
    Thread.objects.filter(pk=thread.pk).update(memory_strategy=MemoryStrategy.SUMMARY)
    thread.memory_strategy = MemoryStrategy.SUMMARY
    context = context_of(thread, thread.leaf_id)
    return max(context.size.used // 2, 1) if context else None


ASKED = ("asked_model", "with_tools", "asked_window", "asked_version")
"""What a person may ask for when something is answered again."""


def mark_done(run: Run, *, actor: User) -> Run:
    """A person says that the call which may have happened did: it is complete, and a new run goes on from there.

    Raises ZergError(``conflict``, 409) for a run without such a call, or with one that was settled already.
    """
    with change(run.thread_id) as thread:
        _require_rest(run, thread)
        doubtful = in_doubt(run)
        if doubtful is None:
            raise ZergError("conflict", f"Run {run.pk} has no call that waits for a person to say whether it was done.")
        thread.leaf = doubtful.parent
        again = _go_on(run, thread, actor)
        source = ThreadMessage.Source.USER
        add_result(thread, again, doubtful.tool_call_id, doubtful.name, CONFIRMED, author=actor, source=source)
        return again


def _require_rest(run: Run, thread: Thread) -> None:
    if not run.is_finished:
        raise ZergError("conflict", f"Run {run.pk} has not ended yet. Stop it first.")
    if Run.objects.filter(thread=thread, status__in=UNFINISHED).exists():
        raise ZergError("conflict", "This thread is being worked on. Retry when that has ended, or stop it.")


def _go_on(
    run: Run,
    thread: Thread,
    actor: User,
    *,
    asked_model: str = "",
    with_tools: bool = True,
    asked_window: int | None = None,
    asked_version: AgentVersion | None = None,
) -> Run:
    """A new run for the message of an old one, from where the thread's leaf is; inside ``change``."""
    start = Start(
        thread.pk,
        None,
        actor,
        Run.Trigger(run.trigger),
        terms=run.terms,
        schedule_id=run.schedule_id,
        webhook_id=run.webhook_id,
    )
    (again,) = new_runs([start], {thread.pk: thread}, set())
    notices.settle(Notice.objects.filter(run=run))
    # Before all that is sent from now on: it goes on where the transcript ends.
    again.position = Run.Position.HEAD
    again.input_message = message = run.input_message
    again.branches, again.asked_model, again.with_tools = run.branches, asked_model, with_tools
    again.asked_window, again.asked_version = asked_window, asked_version
    again.save(update_fields=["position", "input_message", "branches", *ASKED])
    if message and message.seq is None:  # it was withdrawn from the queue before it was ever part of the thread
        message.status = ThreadMessage.Status.QUEUED
        message.version = thread.version
        message.save(update_fields=["status", "version"])
    transaction.on_commit(lambda: wake_worker(again.pk))
    return again
