"""What a model call took, on its step, its run and its thread: in one transaction, so that they add up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from common.bulk import save_each
from common.prepared import prepared
from engine import Usage
from runs import states
from runs.endings import Ending
from runs.models import Run, RunStatus, Step
from threads.models import Thread
from threads.services import spend

BOOKED = (
    "status", "finished_at", "input_tokens", "cached_tokens", "output_tokens", "usage_estimated", "cost_usd",
    "error_code", "error_message",
)  # fmt: skip
"""What of a step is written when its call has ended."""


def book_usage(
    run: Run, thread: Thread, step: Step, usage: Usage, cost: Decimal | None, ending: Ending | None = None
) -> None:
    """Tokens and money of one call, on its step and summed on the run and on the thread; inside ``change``.

    One unknown price makes the run's unknown. ``ending``: how the call broke off.
    """
    spend(thread, usage, cost)
    is_first = not _ended_calls(run.pk)
    total = cost if is_first else (None if cost is None else F("cost_usd") + cost)
    states.fence(
        run,
        version=thread.version,
        input_tokens=F("input_tokens") + usage.input_tokens,
        cached_tokens=F("cached_tokens") + usage.cached_tokens,
        output_tokens=F("output_tokens") + usage.output_tokens,
        usage_estimated=True if usage.estimated else F("usage_estimated"),
        cost_usd=total,
    )
    failed = ending is not None and ending.status != RunStatus.CANCELLED
    stopped = ending is not None and ending.status == RunStatus.CANCELLED
    step.status = Step.Status.CANCELLED if stopped else Step.Status.FAILED if failed else Step.Status.SUCCEEDED
    step.finished_at, step.cost_usd, step.usage_estimated = timezone.now(), cost, usage.estimated
    step.input_tokens, step.cached_tokens = usage.input_tokens, usage.cached_tokens
    step.output_tokens = usage.output_tokens
    step.error_code, step.error_message = (ending.code, ending.message) if ending else ("", "")
    save_each([step], BOOKED)


@prepared
def _ended_calls(run_id: Any) -> QuerySet[Step, int]:
    """One of the run's calls of a model that have ended, if there is one."""
    ended = Step.objects.filter(run=run_id, finished_at__isnull=False).exclude(kind=Step.Kind.TOOL)
    return ended.values_list("pk", flat=True)[:1]
