"""What can happen to agents and providers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User, Workspace
from agents.clients import ModelClients
from agents.models import VERSIONED_FIELDS, Agent, AgentVersion, LanguageModel, Provider
from engine import Limits, ModelError

NOTED_EVERY = timedelta(minutes=1)


def create_agent(*, workspace: Workspace, author: User, **fields: Any) -> Agent:
    """A new agent, with its first version."""
    return save_agent(Agent(workspace=workspace, created_by=author, **fields), author=author)


@transaction.atomic
def save_agent(agent: Agent, *, author: User) -> Agent:
    """Saves an agent. What it is made of becomes a new, immutable version, unless nothing of that has changed."""
    agent.save()
    snapshot = {name: getattr(agent, name) for name in VERSIONED_FIELDS}
    latest = agent.versions.first()
    if latest is None or latest.snapshot != snapshot:
        Agent.objects.filter(pk=agent.pk).update(version_number=F("version_number") + 1)
        agent.refresh_from_db(fields=["version_number"])
        AgentVersion.objects.create(agent=agent, number=agent.version_number, snapshot=snapshot, created_by=author)
    return agent


def stand_in(agent: Agent, *, author: User, present: Agent | None = None) -> Agent:
    """Somebody's trial of an agent as it was edited, which itself is not saved and stays as it is.

    ``present`` is what stood in for it so far: what has changed since becomes a version of that one.
    """
    trial = present or Agent(workspace_id=agent.workspace_id, created_by=author, trial=True)
    for name in VERSIONED_FIELDS:
        setattr(trial, name, getattr(agent, name))
    return save_agent(trial, author=author)


def duplicate_agent(agent: Agent, *, author: User) -> Agent:
    """A copy with its own history. Schedules are not copied: nothing should start to run by itself unasked."""
    fields = {name: getattr(agent, name) for name in VERSIONED_FIELDS}
    fields["name"] = f"{agent.name} (copy)"[:120]
    return create_agent(workspace=agent.workspace, author=author, **fields)


def archive_agent(agent: Agent) -> None:
    """Puts an agent away: it leaves the lists and starts nothing by itself. Its threads stay readable."""
    Agent.objects.filter(pk=agent.pk, archived_at=None).update(archived_at=timezone.now())


def restore_agent(agent: Agent) -> None:
    """Brings an archived agent back."""
    Agent.objects.filter(pk=agent.pk).update(archived_at=None)


def save_provider(provider: Provider, *, author: User, key: str | None = None) -> Provider:
    """Saves a provider that a person edits. ``key`` None keeps the one there is.

    An address that an administrator wrote may be on a private network; one that somebody else wrote or changed may not.
    """
    as_edited_by(provider, author, key=key)
    provider.save()
    return provider


def as_edited_by(provider: Provider, author: User, *, key: str | None = None) -> None:
    """Gives an edited provider, which may not be saved yet, its key and the reach that its author's rights allow."""
    stored = Provider.objects.filter(pk=provider.pk).first() if provider.pk else None
    address_changed = stored is None or stored.base_url != provider.base_url
    if author.is_staff:
        provider.private_allowed = True
    elif address_changed:
        provider.private_allowed = False
        if key is None:
            # A stored key must not follow to an address that somebody else may have chosen.
            provider.set_key("")
    if key is not None:
        provider.set_key(key)


@transaction.atomic
def prefer(provider: Provider) -> None:
    """Makes ``provider`` the one that serves agents that name no model, for everybody who sees it."""
    Provider.objects.filter(workspace=provider.workspace_id, preferred=True).exclude(pk=provider.pk).update(
        preferred=False
    )
    Provider.objects.filter(pk=provider.pk).update(preferred=True, enabled=True)


def may_edit(provider: Provider, person: User) -> bool:
    """A workspace's provider belongs to its members; one of the whole installation to administrators."""
    return person.is_staff or provider.workspace_id is not None


def check_provider(provider: Provider, *, limits: Limits | None = None) -> tuple[list[str], str]:
    """Asks a provider for its models, and remembers them. Gives ``(names, error)``; the error is a sentence, or empty.

    Makes a network call: never inside a transaction. Raises ZergError when the stored key cannot be decrypted.
    """
    names, error = ask_provider(provider, limits=limits)
    now = timezone.now()
    provider.last_checked_at, provider.last_error = now, error
    if not error:
        provider.last_ok_at = now
        remember_models(provider, names)
    provider.save(update_fields=["last_checked_at", "last_error", "last_ok_at"])
    return names, error


def ask_provider(provider: Provider, *, limits: Limits | None = None) -> tuple[list[str], str]:
    """The same for a provider that need not be saved: nothing is remembered."""
    base_url, key = provider.endpoint()
    try:
        return asyncio.run(_listed(provider, base_url, key, limits or Limits())), ""
    except ModelError as refusal:
        return [], refusal.message


def note_call(provider: Provider, problem: str = "") -> None:
    """Keeps what a call has told of its provider: why it refuses, or, noted once a minute, that it works."""
    now = timezone.now()
    row = Provider.objects.filter(pk=provider.pk)
    if problem:
        row.update(last_error=problem, last_checked_at=now)
    elif provider.last_error or provider.last_ok_at is None or provider.last_ok_at < now - NOTED_EVERY:
        row.exclude(last_error="", last_ok_at__gt=now - NOTED_EVERY).update(
            last_error="", last_ok_at=now, last_checked_at=now
        )
        provider.last_error, provider.last_ok_at = "", now


async def _listed(provider: Provider, base_url: str, key: str, limits: Limits) -> list[str]:
    clients = ModelClients()
    try:
        return await clients.listed(provider, base_url, key, limits)
    finally:
        await clients.close()


def remember_models(provider: Provider, names: list[str]) -> None:
    """Keeps a row for each model that a provider offers; what is known of those already there stays."""
    rows = [LanguageModel(provider=provider, name=name[:200]) for name in names[:1000]]
    LanguageModel.objects.bulk_create(rows, ignore_conflicts=True)
