"""What goes when something is deleted in the admin, and what is in the way."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from runs.models import Run, RunStatus
from tests.admin.conftest import make_run
from threads.models import Thread, ThreadMessage
from threads.services import create_thread, log_line
from triggers.models import Occurrence, Schedule


def test_deleting_an_agent_says_how_much_goes_and_takes_it(
    desk: Client, agent: Agent, thread: Thread, owner: User, schedule: Schedule
) -> None:
    log_line(thread, role="assistant", content="Hello", author=owner)
    run = make_run(agent, thread, owner)
    Occurrence.objects.create(
        schedule=schedule, scheduled_for=timezone.now(), fired_at=timezone.now(), outcome="ran", run=run
    )
    page = desk.get(reverse("admin:agents_agent_delete", args=[agent.pk])).content.decode()
    assert "1 threads with their messages" in page
    assert "1 runs" in page
    desk.post(reverse("admin:agents_agent_delete", args=[agent.pk]), {"post": "yes"})
    for model in (Agent, Thread, ThreadMessage, Run, Schedule, Occurrence):
        assert not model._default_manager.exists()


@pytest.mark.parametrize("page", ["agents_agent", "threads_thread", "accounts_user"])
def test_nothing_goes_while_a_run_works_on_it(
    desk: Client, agent: Agent, thread: Thread, owner: User, page: str
) -> None:
    make_run(agent, thread, owner, RunStatus.RUNNING)
    row = {"agents_agent": agent, "threads_thread": thread, "accounts_user": owner}[page]
    answer = desk.post(reverse(f"admin:{page}_delete", args=[row.pk]), {"post": "yes"}, follow=True)
    assert "Stop" in answer.content.decode()
    assert Thread.objects.exists()
    desk.post(reverse(f"admin:{page}_changelist"),
              {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})  # fmt: skip
    assert Thread.objects.exists()


def test_a_workspace_with_agents_stays_and_a_person_without_runs_goes(
    desk: Client, agent: Agent, stranger: User
) -> None:
    workspace = agent.workspace
    page = desk.get(reverse("admin:accounts_workspace_delete", args=[workspace.pk])).content.decode()
    assert "has agents. Delete them first." in page
    create_thread(create_agent(workspace=stranger.home_workspace(), author=stranger, name="X"), owner=stranger)
    desk.post(reverse("admin:accounts_user_delete", args=[stranger.pk]), {"post": "yes"})
    assert not User.objects.filter(pk=stranger.pk).exists()
