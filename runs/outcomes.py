"""What a run that nobody watched came to, and whether that is worth telling by what was asked of it."""

from __future__ import annotations

from dataclasses import dataclass

from runs.models import Run, RunStatus
from runs.terms import Notify
from threads.models import Thread, ThreadMessage
from threads.reading import NOTHING_NEW, pass_over

LOOKED_BACK = 20
"""So many runs of a series are looked through for one that was no rehearsal."""


@dataclass(frozen=True)
class Outcome:
    """``text`` is the last that the agent said; ``is_told`` whether its owner wants to hear of it."""

    text: str
    is_told: bool


def is_by_policy(run: Run) -> bool:
    """Whether the terms of a schedule or a webhook say who is told. Who asked for a rehearsal looks at it."""
    return bool(run.schedule_id or run.webhook_id) and not run.terms.rehearsal


def settle_outcome(run: Run, thread: Thread, status: RunStatus) -> Outcome:
    """Of a run by policy, where it ends, inside ``change``. One that found nothing new raises no unread."""
    if status != RunStatus.SUCCEEDED:
        return Outcome("", is_told=status == RunStatus.FAILED)
    text = answer_of(run)
    if _found_nothing(run, text):
        pass_over(thread, thread.owner_id, run_id=run.pk)
        return Outcome(text, is_told=run.terms.notify == Notify.ALWAYS)
    match run.terms.notify:
        case Notify.CHANGED:
            return Outcome(text, is_told=_is_another(run, text))
        case Notify.FAILURE:
            return Outcome(text, is_told=False)
        case _:
            return Outcome(text, is_told=True)


def answer_of(run: Run) -> str:
    """The last that the agent said in a run; empty when it said nothing."""
    said = ThreadMessage.objects.filter(
        run_id=run.pk, role=ThreadMessage.Role.ASSISTANT, kind=ThreadMessage.Kind.MESSAGE
    )
    return said.exclude(content="").order_by("-seq").values_list("content", flat=True).first() or ""


def _found_nothing(run: Run, text: str) -> bool:
    """The agent has said so, by its tool or in so many words. The row says it from now on."""
    row = Run.objects.filter(pk=run.pk)
    if text.strip() in NOTHING_NEW:
        row.update(nothing_new=True)
        return True
    return row.filter(nothing_new=True).exists()


def _is_another(run: Run, text: str) -> bool:
    """Whether ``text`` differs from the last result of the series by more than its spaces. A first result does."""
    series = {"schedule_id": run.schedule_id} if run.schedule_id else {"webhook_id": run.webhook_id}
    good = Run.objects.filter(**series, status=RunStatus.SUCCEEDED, nothing_new=False).exclude(pk=run.pk)
    before = next((other for other in good.order_by("-id")[:LOOKED_BACK] if not other.terms.rehearsal), None)
    return before is None or answer_of(before).split() != text.split()
