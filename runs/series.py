"""The runs of one schedule or webhook: what they came to, for those that come after."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from runs.models import Run, RunStatus, Step
from threads.models import ThreadMessage


@dataclass(frozen=True)
class Result:
    """What a run that succeeded was told, and what it answered; whole."""

    run_id: int
    prompt: str
    answer: str


def worked(runs: QuerySet[Run] | None = None) -> QuerySet[Run]:
    """Those of ``runs`` (all by default) that succeeded and were no rehearsals, newest first."""
    rows = Run.objects.all() if runs is None else runs
    # A rehearsal says so in its terms; other terms leave the word out.
    return rows.filter(status=RunStatus.SUCCEEDED, terms_stored__rehearsal__isnull=True).order_by("-id")


def told(runs: QuerySet[Run] | None = None) -> QuerySet[Run]:
    """Those of them whose answer is worth remembering: they did not say that nothing was new."""
    return worked(runs).filter(nothing_new=False)


def results_of(run_ids: Collection[int]) -> dict[int, Result]:
    """What the runs with these ids came to, oldest first; those whose answer was deleted are left out."""
    prompts = dict(Run.objects.filter(pk__in=run_ids).values_list("pk", "input_message__content"))
    answers = ThreadMessage.objects.filter(
        run_id__in=run_ids, role=ThreadMessage.Role.ASSISTANT, status=ThreadMessage.Status.COMPLETE
    )
    last = {
        run_id: content
        for run_id, content, calls in answers.order_by("id").values_list("run_id", "content", "tool_calls")
        if content.strip() and not calls
    }
    return {pk: Result(pk, prompts.get(pk) or "", last[pk]) for pk in sorted(run_ids) if pk in last}


def last_results(run: Run, count: int) -> list[Result]:
    """The newest ``count`` results of the run's series, oldest first; none for a run that is of no series."""
    return list(results_of(_ids(told(_others(run))[:count])).values())


def summary_before(run: Run) -> ThreadMessage | None:
    """The newest summary that a run of the series made.

    Made in run R, it stands for the results of all runs before R but the last of them: see ``results_since``.
    """
    steps = Step.objects.filter(
        kind=Step.Kind.SUMMARY,
        status=Step.Status.SUCCEEDED,
        message__kind=ThreadMessage.Kind.SUMMARY,
        message__covers_seq=None,
    )
    runs = _series(run).filter(Exists(steps.filter(run=OuterRef("pk"))), terms_stored__rehearsal__isnull=True)
    made_in = runs.order_by("-id").values_list("pk", flat=True).first()
    newest = steps.filter(run=made_in).order_by("-index").select_related("message").first()
    return newest.message if newest else None


def results_since(run: Run, summary: ThreadMessage, most: int) -> list[Result]:
    """The results that ``summary`` does not stand for, oldest first: at most the newest ``most``."""
    made_in = summary.run_id or 0
    others = told(_others(run))
    ids = [*_ids(others.filter(pk__gte=made_in)[:most]), *_ids(others.filter(pk__lt=made_in)[:1])]
    return list(results_of(ids[:most]).values())


def _ids(runs: QuerySet[Run]) -> list[int]:
    return list(runs.values_list("pk", flat=True))


def _others(run: Run) -> QuerySet[Run]:
    """The other runs of its series. What it answers once more is no result that it could go on from."""
    others = _series(run).exclude(pk=run.pk)
    if run.input_message_id is None:
        return others
    return others.filter(~Q(input_message=run.input_message_id) | Q(input_message=None))


def _series(run: Run) -> QuerySet[Run]:
    if run.schedule_id is not None:
        return Run.objects.filter(schedule_id=run.schedule_id)
    return Run.objects.filter(webhook_id=run.webhook_id) if run.webhook_id is not None else Run.objects.none()
