"""Schedules and their ledger as the JSON API shows them (docs/api.md)."""

from __future__ import annotations

from typing import Any

from common.serialize import iso
from triggers.models import Occurrence, Schedule

AS_THEY_ARE = (
    "most_runs", "runs_made", "spread_seconds", "thread_mode", "thread_id", "roll_every", "roll_runs",
    "context_policy", "context_runs", "missed_policy", "missed_limit", "overlap_policy", "check_kind", "check_text",
    "failure_limit", "failures_in_row", "notify_policy", "notify_email", "notify_hook_id", "watch_kind", "watch_url",
    "watch_path",
)  # fmt: skip


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.pk,
        "agent_id": schedule.agent_id,
        "name": schedule.name,
        "kind": schedule.kind,
        "expression": schedule.expression,
        "timezone": schedule.timezone,
        "prompt": schedule.prompt,
        "enabled": schedule.enabled,
        "disabled_reason": schedule.disabled_reason or None,
        "starts_at": iso(schedule.starts_at),
        "ends_at": iso(schedule.ends_at),
        **{name: getattr(schedule, name) for name in AS_THEY_ARE},
        "back_off_until": iso(schedule.back_off_until),
        "is_default": schedule.is_default,
        "next_run_at": iso(schedule.next_run_at),
        "last_run_at": iso(schedule.last_run_at),
        "created_at": iso(schedule.created_at),
        "updated_at": iso(schedule.updated_at),
    }


def occurrence_json(occurrence: Occurrence) -> dict[str, Any]:
    return {
        "id": occurrence.pk,
        "scheduled_for": iso(occurrence.scheduled_for),
        "outcome": occurrence.outcome,
        "reason": occurrence.reason or None,
        "lateness_seconds": occurrence.lateness_seconds,
        "run_id": occurrence.run_id,
    }
