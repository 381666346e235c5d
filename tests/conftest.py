"""Three people and a small world, for every test that needs them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import Membership, User
from agents.models import Agent
from agents.services import create_agent
from threads.models import Thread
from threads.services import create_thread

PASSWORD = "a good password"


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    """Hashing is slow on purpose; tests make many people."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner@example.com", PASSWORD, name="Olga")


@pytest.fixture
def member(owner: User) -> User:
    """Somebody else in the owner's workspace (and in none before it)."""
    person = User.objects.create_user("member@example.com", PASSWORD, name="Max")
    Membership.objects.filter(user=person).delete()
    Membership.objects.create(workspace=owner.home_workspace(), user=person)
    return person


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("stranger@example.com", PASSWORD, name="Sam")


@pytest.fixture
def agent(owner: User) -> Agent:
    return create_agent(
        workspace=owner.home_workspace(), author=owner, name="Scout", task_instructions="Look around and report."
    )


@pytest.fixture
def thread(agent: Agent, owner: User) -> Thread:
    return create_thread(agent, owner=owner, title="What changed")


ClientOf = Callable[[User], Client]


@pytest.fixture
def client_of() -> ClientOf:
    """A browser in which somebody has signed in."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make
