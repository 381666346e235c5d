"""Schedules and their ledger as the JSON API shows them (docs/api.md)."""

from __future__ import annotations

from typing import Any

from common.serialize import iso
from triggers.models import Occurrence, Schedule


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
        "thread_mode": schedule.thread_mode,
        "thread_id": schedule.thread_id,
        "missed_policy": schedule.missed_policy,
        "overlap_policy": schedule.overlap_policy,
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
