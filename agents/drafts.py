"""What is typed into an agent's form is kept until it is saved or discarded. It makes no version, and runs nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.forms.fields import InvalidJSONInput

from accounts.models import User
from agents.models import Agent, AgentDraft
from common.drafts import INSTANT
from common.errors import ZergError

MOST_CHARS = 1_000_000

Typed = Mapping[str, list[str]]
"""The values of each field, as a form sends them."""


def draft_of(agent: Agent, *, by: User) -> AgentDraft | None:
    """What ``by`` has typed into the form of ``agent`` (of a new one, where it has no id) and not saved."""
    return AgentDraft.objects.for_user(by).filter(agent=agent.pk).exclude(fields={}).first()


def keep_draft(agent: Agent, *, by: User, typed: Typed, at: datetime) -> None:
    """Keeps it, unless a newer one is there already. Raises ZergError for what is too long to be kept."""
    if sum(len(value) for values in typed.values() for value in values) > MOST_CHARS:
        raise ZergError("too_large", f"This is too long to be kept: at most {MOST_CHARS:,} characters are.")
    _write(agent, by, {name: [_clean(value) for value in values] for name, values in typed.items()}, at)


def drop_draft(agent: Agent, *, by: User, at: datetime) -> None:
    """It is saved, or wanted no more: what was typed until ``at`` is not offered, also where it comes late."""
    _write(agent, by, {}, at + INSTANT)


def initial_of(draft: AgentDraft) -> dict[str, Any]:
    """The draft as what a form begins with."""
    initial: dict[str, Any] = {name: values[-1] if values else "" for name, values in draft.fields.items()}
    initial["tools"] = draft.fields.get("tools", [])
    initial["config"] = InvalidJSONInput(initial.get("config", ""))  # shown as it was typed, whatever it is
    return initial


def _clean(value: str) -> str:
    """Text as forms send it; no database stores a NUL character."""
    return value.replace("\x00", "").replace("\r\n", "\n").replace("\n", "\r\n")


def _write(agent: Agent, user: User, fields: dict[str, list[str]], at: datetime) -> None:
    drafts, number = AgentDraft.objects.filter(user=user, agent=agent.pk), agent.version_number
    if not drafts.filter(changed_at__lt=at).update(fields=fields, version_number=number, changed_at=at):
        fresh = AgentDraft(user=user, agent_id=agent.pk, fields=fields, version_number=number, changed_at=at)
        AgentDraft.objects.bulk_create([fresh], ignore_conflicts=True)
