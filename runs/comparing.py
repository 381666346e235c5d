"""Two runs side by side: how they were set up, what they were told, what they answered, and what that took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agents.differences import Part, differences
from agents.versions import Change, changes
from common.templatetags.zerg import cost, duration
from runs.models import Run
from threads.models import ThreadMessage


@dataclass(frozen=True)
class Comparison:
    """``setup`` is None where a run did not get as far as having one; ``figures`` are label, before, after."""

    setup: list[Change] | None
    prompt: list[Part]
    answer: list[Part]
    figures: list[tuple[str, str, str]]


def compare(before: Run, after: Run) -> Comparison:
    """How ``after`` differs from ``before``."""
    versions = before.agent_version, after.agent_version
    return Comparison(
        setup=changes(versions[0], versions[1]) if versions[0] and versions[1] else None,
        prompt=differences(prompt_of(before), prompt_of(after)),
        answer=differences(answer_of(before), answer_of(after)),
        figures=[
            ("Status", before.get_status_display(), after.get_status_display()),
            ("Model", before.model or "–", after.model or "–"),
            ("Took", _took(before), _took(after)),
            ("Tokens in", f"{before.input_tokens:,}", f"{after.input_tokens:,}"),
            ("Tokens out", f"{before.output_tokens:,}", f"{after.output_tokens:,}"),
            ("Cost", str(cost(before.cost_usd)), str(cost(after.cost_usd))),
        ],
    )


def prompt_of(run: Run) -> str:
    """What it was told, as it was filled in."""
    return run.input_message.content if run.input_message else ""


def answer_of(run: Run) -> str:
    """What it wrote last; empty where it wrote nothing."""
    rows: Any = ThreadMessage.objects.filter(run_id=run.pk, role=ThreadMessage.Role.ASSISTANT).exclude(content="")
    return str(rows.order_by("-seq").values_list("content", flat=True).first() or "")


def one_before(run: Run) -> int | None:
    """The id of the run to compare with: the one before of its schedule or webhook, else of its thread."""
    rows = Run.objects.filter(owner=run.owner_id, pk__lt=run.pk).order_by("-pk")
    if run.schedule_id:
        rows = rows.filter(schedule_id=run.schedule_id)
    elif run.webhook_id:
        rows = rows.filter(webhook_id=run.webhook_id)
    else:
        rows = rows.filter(thread=run.thread_id)
    return rows.values_list("pk", flat=True).first()


def _took(run: Run) -> str:
    return str(duration(run.duration)) if run.duration is not None else "–"
