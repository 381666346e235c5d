"""A small world in which everything of the admin has rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.services import create_token
from agents.models import Agent, LanguageModel, Provider
from agents.services import create_agent
from runs.models import Delivery, Run, RunStatus, Step
from runs.outgoing import add_hook
from threads.models import Thread
from threads.services import change, create_thread, log_line
from triggers.hooks.services import create_webhook
from triggers.models import Occurrence, Received, Schedule
from triggers.services import create_schedule

Populate = Callable[[int], None]


@pytest.fixture
def chief(db: None) -> User:
    return User.objects.create_superuser("chief@example.com", "a good password", name="Chief")


@pytest.fixture
def desk(chief: User) -> Client:
    """The administrator's browser."""
    browser = Client()
    browser.force_login(chief)
    return browser


@pytest.fixture
def populate(db: None) -> Populate:
    """Makes ``number`` more of each kind of row, all belonging to different people."""

    def make(number: int) -> None:
        for _ in range(number):
            _one(User.objects.count())

    return make


def _one(number: int) -> None:
    person = User.objects.create_user(f"person{number}@example.com", name=f"Person {number}")
    create_token(person, "Laptop")
    provider = Provider.objects.create(
        workspace=person.home_workspace(), name=f"Provider {number}", base_url="https://models.example.com/v1"
    )
    LanguageModel.objects.create(provider=provider, name=f"model-{number}")
    agent = create_agent(
        workspace=person.home_workspace(), author=person, name=f"Agent {number}", task_instructions="Work."
    )
    thread = create_thread(agent, owner=person, title=f"Thread {number}")
    log_line(thread, role="assistant", content="Good morning. " * 20, author=person)
    run = make_run(agent, thread, person)
    schedule = create_schedule(agent, owner=person, expression="0 7 * * *")
    Occurrence.objects.create(
        schedule=schedule, scheduled_for=timezone.now(), fired_at=timezone.now(), outcome="ran", run=run
    )
    hook, _ = add_hook(person, name=f"Board {number}", url="https://example.org/key")
    Delivery.objects.create(owner=person, run=run, hook=hook, way="hook", target=hook.url)
    webhook, _ = create_webhook(agent, owner=person, style="github", name=f"Webhook {number}", prompt="Look.")
    Received.objects.create(webhook=webhook, verdict="accepted", body="{}", run=run, received_at=timezone.now())


def make_run(agent: Agent, thread: Thread, person: User, status: str = RunStatus.SUCCEEDED) -> Run:
    """A run with one step, as the recorder leaves them."""
    now = timezone.now()
    with change(thread.pk) as locked:
        run = Run.objects.create(
            thread=locked,
            agent=agent,
            agent_version=agent.versions.first(),
            actor=person,
            status=status,
            trigger=Run.Trigger.CHAT,
            queued_at=now,
            started_at=now,
            finished_at=now if status == RunStatus.SUCCEEDED else None,
        )
        Step.objects.create(run=run, index=0, kind="model", name="model", status="succeeded", started_at=now)
    return run


@pytest.fixture
def schedule(agent: Agent, owner: User) -> Schedule:
    return create_schedule(agent, owner=owner, expression="0 7 * * *")
