"""What must be true of the rows at every moment, whatever died before. ``./zerg manage zerg_check`` looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

from django.db.models import Count, DecimalField, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Round
from django.utils import timezone

from runs.models import ACTIVE, UNFINISHED, Run, RunStatus, Step
from threads.models import Thread, ThreadMessage
from triggers.models import Occurrence, RunEnd, Schedule

ORPHAN_SECONDS = 90
"""A run whose worker is gone must have been taken care of after so long."""

LONGEST_LOOK = timedelta(minutes=10)

Check = Callable[[], Iterator[str]]


def breaks() -> Iterator[str]:
    """A line for each break, of all checks."""
    for check in CHECKS:
        yield from check()


def _transcripts_count_without_gap() -> Iterator[str]:
    counted = Thread.objects.annotate(
        rows=Count("messages__seq"), first=Min("messages__seq"), last=Coalesce(Max("messages__seq"), 0)
    )
    for thread in counted.exclude(rows=F("last"), last_seq=F("last")).values("pk", "rows", "last", "last_seq"):
        yield "thread {pk}: {rows} rows, the last is number {last}, the thread says {last_seq}".format(**thread)


def _one_active_run_in_a_thread() -> Iterator[str]:
    active = Run.objects.filter(status__in=ACTIVE).order_by().values("thread")
    for row in active.annotate(runs=Count("pk")).filter(runs__gt=1):
        yield f"thread {row['thread']}: {row['runs']} runs are active"


def _nothing_says_running_when_nothing_runs() -> Iterator[str]:
    limit = timezone.now() - timedelta(seconds=ORPHAN_SECONDS)
    orphans = Q(lease_expires_at__lt=limit) | Q(lease_expires_at=None) | Q(lease_owner="")
    for run in Run.objects.filter(orphans, status=RunStatus.RUNNING):
        yield f"run {run.pk}: says running, and no worker holds it since {run.lease_expires_at}"
    for run in Run.objects.filter(status__in=UNFINISHED).exclude(finished_at=None):
        yield f"run {run.pk}: is {run.status} and has an end"
    for run in Run.objects.exclude(status__in=UNFINISHED).filter(Q(finished_at=None) | Q(reason="")):
        yield f"run {run.pk}: is {run.status} without an end or a reason"


def _nothing_is_left_behind_by_a_run_that_is_over() -> Iterator[str]:
    for step in Step.objects.filter(status=Step.Status.STARTED).exclude(run__status=RunStatus.RUNNING):
        yield f"run {step.run_id}: its step {step.index} says started, and the run does not go on"
    running = Run.objects.filter(pk=OuterRef("run_id"), status=RunStatus.RUNNING)
    written = ThreadMessage.objects.filter(status=ThreadMessage.Status.STREAMING)
    for message in written.filter(~Exists(running)):
        yield f"message {message.pk}: says that it is being written, and run {message.run_id} does not go on"
    queued = Run.objects.filter(input_message=OuterRef("pk"), status=RunStatus.QUEUED)
    for message in ThreadMessage.objects.filter(~Exists(queued), status=ThreadMessage.Status.QUEUED):
        yield f"message {message.pk}: waits in the queue, and no run waits for it"


def _nothing_that_succeeded_was_done_again() -> Iterator[str]:
    done = Step.objects.filter(status=Step.Status.SUCCEEDED).exclude(key=None).order_by()
    for row in done.values("run", "key").annotate(times=Count("pk")).filter(times__gt=1):
        yield f"run {row['run']}: the step {row['key']} succeeded {row['times']} times"


def _tokens_and_money_add_up() -> Iterator[str]:
    sums = Run.objects.annotate(
        step_input=Coalesce(Sum("steps__input_tokens"), 0),
        step_output=Coalesce(Sum("steps__output_tokens"), 0),
        step_cost=Sum("steps__cost_usd"),
    )
    for run in sums.exclude(input_tokens=F("step_input"), output_tokens=F("step_output")):
        yield f"run {run.pk}: its tokens are not the sum of its steps'"
    # SQLite adds in binary fractions: what is equal is so to the last place that rows hold.
    priced = sums.filter(cost_usd__isnull=False)
    for run in priced.alias(of_run=Round("cost_usd", 8), of_steps=Round("step_cost", 8)).exclude(of_run=F("of_steps")):
        yield f"run {run.pk}: costs {run.cost_usd}, its steps {run.step_cost}"
    threads = Thread.objects.alias(
        all_input=_of_all("input_tokens"),
        all_output=_of_all("output_tokens"),
        of_thread=Round("cost_usd", 8),
        of_all=Round(_of_all("cost_usd"), 8),
    )
    # Where runs were pruned, what they cost stays with the thread.
    pruned = Exists(_messages_of_pruned_runs())
    added_up = {"input_tokens": F("all_input"), "output_tokens": F("all_output"), "of_thread": F("of_all")}
    for thread in threads.filter(~pruned).exclude(**added_up):
        yield f"thread {thread.pk}: its tokens and its cost are not the sum of its steps' and imports'"
    at_least = {
        "input_tokens__gte": F("all_input"),
        "output_tokens__gte": F("all_output"),
        "of_thread__gte": F("of_all"),
    }
    for thread in threads.filter(pruned).exclude(**at_least):
        yield f"thread {thread.pk}: its tokens or its cost are less than those of its steps and imports"


def _messages_of_pruned_runs() -> QuerySet[ThreadMessage]:
    """Those of an outer thread whose run is there no more."""
    messages = ThreadMessage.objects.filter(thread=OuterRef("pk")).exclude(run_id=None)
    return messages.filter(~Exists(Run.objects.filter(pk=OuterRef("run_id"))))


def _of_all(field: str) -> CombinedExpression:
    """The sum of ``field`` over all steps for a thread, and over its messages that were imported: they have no run."""
    steps = Step.objects.filter(run__thread=OuterRef("pk")).order_by().values("run__thread")
    imported = ThreadMessage.objects.filter(thread=OuterRef("pk"), run_id=None).order_by().values("thread")
    sums = (Subquery(rows.annotate(total=Sum(field)).values("total")) for rows in (steps, imported))
    here, there = (Coalesce(total, Decimal(0), output_field=DecimalField()) for total in sums)
    return here + there


def _rows_stay_in_their_thread_and_with_their_owner() -> Iterator[str]:
    for message in ThreadMessage.objects.exclude(parent=None).exclude(parent__thread=F("thread")):
        yield f"message {message.pk}: its parent is in another thread"
    for message in ThreadMessage.objects.filter(version__gt=F("thread__version")):
        yield f"message {message.pk}: has a version that its thread has not reached"
    for thread in Thread.objects.exclude(leaf=None).exclude(leaf__thread=F("pk")):
        yield f"thread {thread.pk}: reads a branch of another thread"
    for run in Run.objects.exclude(thread__agent=F("agent"), thread__owner=F("owner")):
        yield f"run {run.pk}: its agent or its owner is not its thread's"
    for schedule in Schedule.objects.exclude(thread=None).exclude(thread__owner=F("owner"), thread__agent=F("agent")):
        yield f"schedule {schedule.pk}: writes into a thread of somebody else or of another agent"


def _every_due_time_tells_what_became_of_it() -> Iterator[str]:
    ran = Occurrence.objects.filter(outcome=Occurrence.Outcome.RAN).exclude(run=None)
    for occurrence in ran.exclude(run__schedule_id=None).exclude(run__schedule_id=F("schedule")):
        yield f"occurrence {occurrence.pk}: run {occurrence.run_id} is another schedule's"
    for row in ran.order_by().values("run").annotate(times=Count("pk")).filter(times__gt=1):
        yield f"run {row['run']}: is that of {row['times']} due times"
    decided = Occurrence.objects.exclude(outcome__in=[Occurrence.Outcome.RAN, Occurrence.Outcome.CHECKING])
    for occurrence in decided.filter(Q(reason="") | ~Q(run=None)):
        yield f"occurrence {occurrence.pk}: was {occurrence.outcome} without a reason, or has a run"


def _what_is_switched_off_stays_off() -> Iterator[str]:
    due = Schedule.objects.filter(enabled=False).exclude(next_run_at=None)
    for schedule in due:
        yield f"schedule {schedule.pk}: is switched off and has a time at which it would run"
    for schedule in Schedule.objects.filter(enabled=True).filter(Q(next_run_at=None) | ~Q(off_from=None)):
        yield f"schedule {schedule.pk}: is switched on and no time is to come, or is off since {schedule.off_from}"
    for schedule in Schedule.objects.filter(enabled=True, runs_made__gte=F("most_runs")):
        yield f"schedule {schedule.pk}: has run {schedule.runs_made} times, and goes on"
    late = timezone.now() - timedelta(seconds=ORPHAN_SECONDS)
    for end in RunEnd.objects.filter(ended_at__lt=late):
        yield f"run {end.run_id}: its end was not counted for schedule {end.schedule_id}"


def _nothing_is_looked_at_for_ever() -> Iterator[str]:
    limit = timezone.now() - LONGEST_LOOK
    old = Q(held_until__lt=limit) | Q(held_until=None, fired_at__lt=limit) | ~Q(run=None)
    for occurrence in Occurrence.objects.filter(old, outcome=Occurrence.Outcome.CHECKING):
        yield f"occurrence {occurrence.pk}: says that it is looking since {occurrence.fired_at}"


CHECKS: tuple[Check, ...] = (
    _transcripts_count_without_gap,
    _one_active_run_in_a_thread,
    _nothing_says_running_when_nothing_runs,
    _nothing_is_left_behind_by_a_run_that_is_over,
    _nothing_that_succeeded_was_done_again,
    _tokens_and_money_add_up,
    _rows_stay_in_their_thread_and_with_their_owner,
    _every_due_time_tells_what_became_of_it,
    _what_is_switched_off_stays_off,
    _nothing_is_looked_at_for_ever,
)
