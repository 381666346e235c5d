"""Runs and their steps as the JSON API and its socket show them (docs/api.md)."""

from __future__ import annotations

from typing import Any

from common.serialize import iso, money
from runs.models import Run, Step
from threads.serializers import usage_json


def step_json(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "kind": step.kind,
        "name": step.name,
        "status": step.status,
        "message_id": step.message_id,
        "attempt": step.attempt,
        "tries": step.tries,
        "started_at": iso(step.started_at),
        "finished_at": iso(step.finished_at),
        "usage": usage_json(step),
        "cost_usd": money(step.cost_usd),
        "error": {"code": step.error_code, "message": step.error_message} if step.error_message else None,
    }


def run_json(run: Run) -> dict[str, Any]:
    """A run with its steps; prefetch ``steps`` where there are several."""
    return {
        "id": run.pk,
        "thread_id": run.thread_id,
        "agent_id": run.agent_id,
        "input_message_id": run.input_message_id,
        "status": run.status,
        "reason": run.reason or None,
        "reason_text": run.get_reason_display() or None,
        "note": run.note or None,
        "trigger": run.trigger,
        "schedule_id": run.schedule_id,
        "webhook_id": run.webhook_id,
        "nothing_new": run.nothing_new,
        "rehearsal": run.terms.rehearsal,
        "agent_version_id": run.agent_version_id,
        "attempt": run.attempt,
        "error": {"code": run.error_code, "message": run.error_message} if run.error_code else None,
        "queued_at": iso(run.queued_at),
        "started_at": iso(run.started_at),
        "first_token_at": iso(run.first_token_at),
        "finished_at": iso(run.finished_at),
        "model": run.model or None,
        "usage": usage_json(run),
        "cost_usd": money(run.cost_usd),
        "version": run.version,
        "steps": [step_json(step) for step in run.steps.all()],
    }
