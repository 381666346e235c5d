"""What was asked of a run when it was started, by whoever started it: kept on its row, and never changed.

A person's message asks for nothing. A schedule or a webhook says what the model is to remember, when the answer counts
as one, and who is told.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from django.db import models


class Context(models.TextChoices):
    """What the model sees beside its instructions and the run's own message."""

    NOTHING = "nothing", "Nothing"
    LAST_RESULT = "last_result", "The last result"
    LAST_RUNS = "last_runs", "The last runs"
    SUMMARY = "summary", "A summary of the runs before"
    WHOLE_THREAD = "whole_thread", "The whole thread"


class CheckKind(models.TextChoices):
    """When an answer counts as success; one that is empty never does."""

    ANSWER = "", "There is an answer"
    CONTAINS = "contains", "It contains these words"
    REGEX = "regex", "It matches this regular expression"
    JSON_SCHEMA = "json_schema", "It is JSON by this schema"
    TOOL = "tool", "This tool was called and worked"


class Notify(models.TextChoices):
    """When the owner is told of a run's end. What failed or needs them is told always."""

    ALWAYS = "always", "Always"
    CHANGED = "changed", "When the result is another than the last"
    FOUND = "found", "When it found something"
    FAILURE = "failure", "Only when it fails"


MOST_CONTEXT_RUNS = 20
"""No more results of earlier runs are read, whatever is asked for."""


@dataclass(frozen=True)
class Terms:
    """``hook_id`` is an outgoing webhook of the owner's. A rehearsal does nothing that cannot be undone."""

    context: Context = Context.WHOLE_THREAD
    context_runs: int = 0
    check: CheckKind = CheckKind.ANSWER
    check_text: str = ""
    notify: Notify = Notify.FOUND
    email: bool = False
    hook_id: int | None = None
    rehearsal: bool = False

    def as_json(self) -> dict[str, Any]:
        """What stands on the run's row: only what differs from asking for nothing."""
        return {name: value for name, value in vars(self).items() if value != getattr(NOTHING_ASKED, name)}

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> Self:
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in stored.items() if name in known}
        for name, kind in (("context", Context), ("check", CheckKind), ("notify", Notify)):
            if name in values:
                values[name] = kind(values[name])
        return cls(**values)


NOTHING_ASKED = Terms()
"""Those of a person's message."""
