"""Taking an agent or a thread away for good. Lives here because nothing may go while a run works on it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts.models import Membership, User
from agents.models import Agent
from common import bus
from common.errors import ZergError
from runs.models import UNFINISHED, Run
from threads.models import Thread


def delete_thread(thread: Thread) -> None:
    """Deletes a thread, its messages and runs. Raises ZergError(``conflict``, 409) while a run works or waits in it."""
    with transaction.atomic():
        # A run can only be queued or claimed under this lock, so that none appears between the check and the end.
        Thread.objects.select_for_update().filter(pk=thread.pk).first()
        _require_quiet(Run.objects.filter(thread=thread.pk).filter(status__in=UNFINISHED).first(), "thread")
        Thread.objects.filter(pk=thread.pk).delete()
        _tell_watchers(thread.pk)


def delete_agent(agent: Agent, *, by: User) -> None:
    """Deletes an agent with its threads, runs, schedules and versions.

    Raises ZergError: ``forbidden`` (403) unless ``by`` made the agent or owns its workspace, because other people's
    private threads go with it; ``conflict`` (409) while a run works or waits in one of its threads.
    """
    if agent.created_by_id != by.pk and not _owns(by, agent):
        raise ZergError("forbidden", "Only who made the agent, or an owner of its workspace, can delete it.")
    _delete(agent)


def delete_trials(before: datetime) -> None:
    """Deletes the trials of which nothing was heard since ``before``, with all that was said in them."""
    trials = Agent.objects.filter(trial=True, updated_at__lt=before)
    for agent in trials.exclude(threads__updated_at__gte=before).exclude(runs__status__in=UNFINISHED).distinct():
        _delete(agent)


def _delete(agent: Agent) -> None:
    with transaction.atomic():
        threads = Thread.objects.select_for_update().filter(agent=agent.pk).order_by("pk")
        thread_ids = list(threads.values_list("pk", flat=True))
        runs = Run.objects.filter(agent=agent.pk)
        _require_quiet(runs.filter(status__in=UNFINISHED).first(), "agent")
        # Versions are protected by the runs that used them, even where both go.
        runs.delete()
        Agent.objects.filter(pk=agent.pk).delete()
        for thread_id in thread_ids:
            _tell_watchers(thread_id)


def _tell_watchers(thread_id: int) -> None:
    """Whoever has the thread open looks, and finds that it is gone."""
    transaction.on_commit(lambda: bus.ring(thread_id))


def _owns(user: User, agent: Agent) -> bool:
    return Membership.objects.filter(user=user, workspace=agent.workspace_id, role=Membership.Role.OWNER).exists()


def _require_quiet(run: Run | None, what: str) -> None:
    if run is not None:
        raise ZergError("conflict", f"Run {run.pk} of this {what} has not ended. Stop it first, then delete.")
