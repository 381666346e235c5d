"""The versions of an agent: how they differ, and going back to one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.models import User
from agents.differences import Part, differences
from agents.forms import AgentForm
from agents.models import VERSIONED_FIELDS, Agent, AgentVersion, MemoryStrategy
from agents.services import save_agent

NOTHING = "–"
# In the order of the form: PostgreSQL keeps no order of the names in a snapshot.
LABELS = {
    name: str(field.label or name.replace("_", " ")).capitalize()
    for name, field in AgentForm.base_fields.items()
    if name in VERSIONED_FIELDS
}


@dataclass(frozen=True)
class Change:
    """One field in which two versions differ."""

    label: str
    parts: list[Part]


@dataclass(frozen=True)
class Entry:
    """A version in the list: what changed since the one before, and which older one it equals, if any."""

    version: AgentVersion
    changed: list[str]
    same_as: int | None


def entries(versions: Sequence[AgentVersion]) -> list[Entry]:
    """The versions, newest first, without a gap. The last one has nothing beside it that it could be compared with."""
    first_with: dict[str, int] = {}
    same_as = {}
    for version in reversed(versions):
        made_of = json.dumps(version.fields, sort_keys=True)
        same_as[version.number] = first_with.get(made_of)
        first_with.setdefault(made_of, version.number)
    older: list[AgentVersion | None] = [*versions[1:], None]
    return [
        Entry(
            version, [label.lower() for label in _changed(before, version)] if before else [], same_as[version.number]
        )
        for version, before in zip(versions, older, strict=True)
    ]


def _changed(before: AgentVersion, version: AgentVersion) -> list[str]:
    return [label.lower() for name, label in LABELS.items() if before.fields.get(name) != version.fields.get(name)]


def changes(before: AgentVersion, version: AgentVersion) -> list[Change]:
    """Each field in which ``version`` differs from ``before``, as text."""
    pairs = [(label, before.fields.get(name), version.fields.get(name), name) for name, label in LABELS.items()]
    return [
        Change(label, differences(in_words(name, old), in_words(name, new)))
        for label, old, new, name in pairs
        if old != new
    ]


def made_of(version: AgentVersion) -> list[tuple[str, str]]:
    """What a version consists of: labels and values as text, without what is empty."""
    return [
        (label, in_words(name, value))
        for name, label in LABELS.items()
        if (value := version.fields.get(name)) not in (None, "", [], {})
    ]


def in_words(name: str, value: Any) -> str:
    """A field's value as a person reads it."""
    if value is None or value == "":
        return "the default" if name == "model" else NOTHING
    if name == "memory_strategy":
        return str(dict(MemoryStrategy.choices).get(value, value))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or NOTHING
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) if value else NOTHING
    return str(value)


@transaction.atomic
def go_back(agent: Agent, version: AgentVersion, *, author: User) -> Agent:
    """The agent becomes what it was in ``version``. That is a new version, unless it is so already."""
    current = Agent.objects.select_for_update().get(pk=agent.pk)
    version.put_on(current)
    return save_agent(current, author=author)
