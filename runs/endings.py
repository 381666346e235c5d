"""How a run ends, before it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runs.models import Run, RunStatus


@dataclass(frozen=True)
class Ending:
    """How a run ends: its status, the typed reason, and for a failure the error's code, sentence and details."""

    status: RunStatus
    reason: Run.Reason
    code: str = ""
    message: str = ""
    detail: str = ""
    again_at: datetime | None = None
    """When the provider that asked to wait is ready again."""
    nothing_new: str = ""
    """The words of a run that succeeded and found nothing worth telling."""
