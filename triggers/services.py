"""What people do with schedules. ``triggers.firing`` does what the clock does."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone as clock

from accounts.models import User
from agents.models import Agent
from agents.schedules import DefaultSchedule
from common.errors import ZergError
from runs import checks, notices
from runs.models import Notice, Run
from runs.services import start_runs
from runs.starting import Start
from runs.terms import MOST_CONTEXT_RUNS
from threads.models import Thread
from threads.services import clean_content, create_thread
from triggers import pauses, timing
from triggers.expressions import YEARS
from triggers.models import Schedule
from triggers.places import threads_of
from triggers.policies import check_policies, refuse
from triggers.previews import bounds_of as bounds_of
from triggers.previews import preview as preview
from triggers.previews import preview_of as preview_of
from triggers.prompts import NO_LAST, lasts_of, prompt_of
from triggers.watching import telling, validate, watch_of

TIMING = ("kind", "expression", "timezone", "starts_at", "ends_at", "most_runs", "spread_seconds")
WHEN = ("kind", "expression", "timezone", "starts_at", "ends_at", "most_runs", "runs_made", "offset_seconds")
"""The fields that ``Schedule.timing`` reads, besides ``next_run_at``."""

WIDEST_SPREAD = 86_400
CHANGEABLE = {
    *TIMING, "name", "prompt", "enabled", "thread_mode", "thread", "missed_policy", "overlap_policy", "agent", "owner",
    "roll_every", "roll_runs", "missed_limit", "failure_limit", "context_policy", "context_runs", "check_kind",
    "check_text", "notify_policy", "notify_email", "notify_hook",
    "watch_kind", "watch_url", "watch_path",
}  # fmt: skip


@transaction.atomic
def create_schedule(agent: Agent, *, owner: User, **fields: Any) -> Schedule:
    """A new schedule of ``owner``; without a ``timezone`` it has the owner's. Raises ZergError(``bad_schedule``)."""
    _require_known(fields)
    schedule = Schedule(agent=agent, owner=owner, **{"timezone": owner.timezone, **fields})
    _clean(schedule)
    _choose_offset(schedule)
    _set_next_time(schedule, clock.now(), is_new=True)
    schedule.save()
    tell_agent(agent.pk)
    return schedule


@transaction.atomic
def update_schedule(schedule: Schedule, **changes: Any) -> Schedule:
    """Changes any of CHANGEABLE. Another timing, or enabling again, counts anew from now; nothing else moves it.

    Raises ZergError(``bad_schedule``), and then nothing has changed.
    """
    _require_known(changes)
    current = _locked(schedule)
    before = copy.copy(current)
    agents = {current.agent_id}
    for name, value in changes.items():
        setattr(current, name, value)
    agents.add(current.agent_id)
    if "thread" not in changes and (current.thread_mode != before.thread_mode or len(agents) > 1):
        current.thread = None
    _clean(current)
    if watch_of(current) != watch_of(before):
        current.watch_seen = {}
    current.is_default = current.is_default and current.kind == Schedule.Kind.CRON and len(agents) == 1
    if current.spread_seconds != before.spread_seconds:
        _choose_offset(current)
    _count_runs_anew(current, before)
    _count_anew(current, before)
    current.save()
    notices.settle(Notice.objects.filter(schedule_id=current.pk))
    for agent_id in agents:
        tell_agent(agent_id)
    return current


def check_schedule(wanted: Schedule, *, current: Schedule | None) -> None:
    """Whether saving ``wanted`` over ``current`` (None: as a new one) would do. Raises ZergError(``bad_schedule``)."""
    _clean(wanted)
    is_new = current is None or wanted.timing != current.timing
    if current is not None:
        _count_runs_anew(wanted, current)
    if current is None or is_new or wanted.enabled != current.enabled:
        _set_next_time(wanted, clock.now(), is_new=is_new)


def pause(schedule: Schedule) -> Schedule:
    """Nothing comes due until it is resumed; what would have come due meanwhile is not made up for."""
    return update_schedule(schedule, enabled=False)


def resume(schedule: Schedule) -> Schedule:
    """Counts on from now. Raises ZergError when its time is over."""
    return update_schedule(schedule, enabled=True)


@transaction.atomic
def delete_schedule(schedule: Schedule) -> None:
    """Removes a schedule with its ledger. Its threads and runs stay."""
    notices.settle(Notice.objects.filter(schedule_id=schedule.pk))
    schedule.delete()
    tell_agent(schedule.agent_id)


@transaction.atomic
def run_now(schedule: Schedule, *, actor: User) -> Run:
    """Runs it in its thread at once, paused or not, beside its due times, which stay as they are.

    Raises ZergError when there is nothing to say, the agent is archived, or the bound thread is gone.
    """
    current = _locked(schedule)
    if current.agent.archived_at is not None:
        raise ZergError("conflict", f"{current.agent} is archived. Restore it first.")
    now = clock.now()
    (thread_id,), made = threads_of([(current, now)])
    prompt = _prompt_by_hand(current, now)
    (run,) = start_runs([start_of(current, thread_id, prompt, author=actor, trigger=Run.Trigger.MANUAL)], made=made)
    current.last_run_at = now
    current.save(update_fields=["thread", "thread_since", "thread_runs", "thread_number", "last_run_at"])
    return run


@transaction.atomic
def rehearse(schedule: Schedule, *, actor: User) -> Run:
    """Runs it as it would run, in a thread made for that: tools that change things are answered by a stub, nobody is
    told, and it counts in no figure. Raises ZergError as ``run_now`` does.
    """
    current = _locked(schedule)
    if current.agent.archived_at is not None:
        raise ZergError("conflict", f"{current.agent} is archived. Restore it first.")
    prompt = _prompt_by_hand(current, clock.now())
    thread = create_thread(
        current.agent,
        owner=current.owner,
        title=f"Rehearsal of {current.title}"[:200],
        thread_type=Thread.Type.REHEARSAL,
        title_by_person=True,
    )
    start = start_of(current, thread.pk, prompt, author=actor, trigger=Run.Trigger.MANUAL)
    terms = replace(start.terms, rehearsal=True, email=False, hook_id=None)
    (run,) = start_runs([replace(start, terms=terms)])
    return run


def _prompt_by_hand(schedule: Schedule, now: datetime) -> str:
    return prompt_of(schedule, now, lasts_of([schedule]).get(schedule.pk, NO_LAST), values={"change": telling.BY_HAND})


def start_of(
    schedule: Schedule, thread_id: int, prompt: str, *, author: User, trigger: Run.Trigger, key: str | None = None
) -> Start:
    """A run of the schedule, on its terms."""
    return Start(thread_id, prompt, author, trigger, key, terms=schedule.terms, schedule_id=schedule.pk)


def set_default_schedule(agent: Agent, user: User, expression: str, timezone: str) -> None:
    """Makes ``expression`` the person's default schedule of the agent; empty text removes it. The same again changes
    nothing: a paused one stays paused. Raises ZergError with the fields ``schedule`` or ``schedule_timezone``.
    """
    default = Schedule.objects.filter(agent=agent, owner=user, is_default=True).first()
    if not expression.strip():
        if default:
            delete_schedule(default)
        return
    changes = {"expression": expression, "timezone": timezone or user.timezone}
    try:
        if default:
            update_schedule(default, **changes)
        else:
            _create_default(agent, user, changes)
    except ZergError as error:
        names = {"expression": "schedule", "timezone": "schedule_timezone"}
        fields = {names.get(name, "schedule"): sentence for name, sentence in error.fields.items()}
        raise ZergError(error.code, error.message, fields) from error


def default_schedule(agent: Agent, user: User) -> DefaultSchedule | None:
    """The person's default schedule of the agent, or None."""
    row = Schedule.objects.filter(agent=agent, owner=user, is_default=True).first()
    return DefaultSchedule(expression=row.expression, timezone=row.timezone) if row else None


def _create_default(agent: Agent, user: User, fields: dict[str, str]) -> None:
    try:
        with transaction.atomic():
            schedule = create_schedule(agent, owner=user, **fields)
            schedule.is_default = True
            schedule.save(update_fields=["is_default"])
            tell_agent(agent.pk)
    except IntegrityError:  # somebody saved the same agent at the same moment: theirs is changed instead
        update_schedule(Schedule.objects.get(agent=agent, owner=user, is_default=True), **fields)


def tell_agents(agent_ids: Collection[int]) -> None:
    """Keeps on the agents' rows what lists show: when they run next, and their default schedule's text.

    The rows are locked in the order of their ids, so that two who tell the same ones never wait for each other.
    """
    own = Schedule.objects.filter(agent=OuterRef("pk"))
    coming = own.filter(enabled=True, next_run_at__isnull=False).order_by("next_run_at")
    default = own.filter(is_default=True).order_by("-updated_at")
    agents = Agent.objects.filter(pk__in=agent_ids)
    list(agents.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    agents.update(
        next_run_at=Subquery(coming.values("next_run_at")[:1]),
        schedule=Coalesce(Subquery(default.values("expression")[:1]), Value("")),
    )


def tell_agent(agent_id: int) -> None:
    """The same for one."""
    tell_agents([agent_id])


def _locked(schedule: Schedule) -> Schedule:
    rows = Schedule.objects.select_related("agent", "owner", "thread")
    current = rows.select_for_update(of=("self",), no_key=True).filter(pk=schedule.pk).first()
    if current is None:
        raise ZergError("not_found", "Schedule not found")
    return current


def _count_runs_anew(schedule: Schedule, before: Schedule) -> None:
    """Its runs are counted from now on, where another number was set, or it goes on after it had made them all."""
    goes_on = schedule.enabled and not before.enabled
    has_made_all = schedule.most_runs is not None and schedule.runs_made >= schedule.most_runs
    if schedule.most_runs != before.most_runs or (goes_on and has_made_all):
        schedule.runs_made = 0


def _count_anew(schedule: Schedule, before: Schedule) -> None:
    """Its next due time, where the timing has changed or it was switched on or off; those that passed get rows."""
    now, same_times = clock.now(), schedule.timing == before.timing
    if same_times and schedule.enabled == before.enabled:
        return
    if schedule.enabled or not same_times:
        pauses.write_down_passed(before, now)
    if not schedule.enabled:
        schedule.off_from = pauses.off_from(schedule, before, now, same_times=same_times)
    elif not before.enabled:
        schedule.failures_in_row, schedule.back_off_until = 0, None
    _set_next_time(schedule, now, is_new=not same_times)


def _choose_offset(schedule: Schedule) -> None:
    """Once for each spread, so that the times that people were shown stay."""
    schedule.offset_seconds = secrets.randbelow(schedule.spread_seconds + 1)


def _set_next_time(schedule: Schedule, now: datetime, *, is_new: bool) -> None:
    """Counts from now. Raises ZergError for a new timing, or one that is to go on, that never comes."""
    schedule.next_run_at = None  # else an interval would count from it
    if schedule.enabled and schedule.agent.archived_at is not None:
        refuse("agent", f"{schedule.agent} is archived. Restore it first.")
    if is_new or schedule.enabled:
        timing.check(schedule.timing, now)
    if schedule.enabled:
        schedule.next_run_at = timing.next_times(schedule.timing, now, 1)[0]
        schedule.disabled_reason, schedule.off_from = "", None


def _clean(schedule: Schedule) -> None:
    """Checks what a person gave and brings it into its stored form."""
    schedule.expression = timing.normal(schedule.kind, schedule.expression, schedule.timezone)
    try:
        schedule.clean_fields(exclude=["disabled_reason"])
    except ValidationError as error:
        fields = {name: " ".join(messages) for name, messages in error.message_dict.items()}
        raise ZergError("bad_schedule", next(iter(fields.values())), fields) from error
    _clean_bounds(schedule)
    schedule.name = " ".join(schedule.name.split())
    for name in ("name", "prompt"):
        if text := getattr(schedule, name).strip():
            _clean_text(schedule, name, text)
    checks.validate(schedule.check_kind, schedule.check_text)
    if not 1 <= schedule.context_runs <= MOST_CONTEXT_RUNS:
        refuse("context_runs", f"It can remember 1 to {MOST_CONTEXT_RUNS} runs.")
    validate(schedule)
    if not schedule.agent.workspace.memberships.filter(user=schedule.owner).exists():
        refuse("owner", f"{schedule.owner} is no member of the workspace of {schedule.agent}.")
    is_bound = schedule.thread_mode == Schedule.ThreadMode.BOUND
    thread = schedule.thread
    if is_bound and thread is None:
        refuse("thread", "Choose the thread that it writes to.")
    if thread and (thread.owner_id, thread.agent_id) != (schedule.owner_id, schedule.agent_id):
        refuse("thread", "It can write only to a thread of its owner with the same agent.")
    if schedule.thread_mode == Schedule.ThreadMode.NEW:
        schedule.thread = None
    check_policies(schedule)


def _clean_bounds(schedule: Schedule) -> None:
    for name in ("starts_at", "ends_at"):
        if moment := getattr(schedule, name):
            if moment.year not in YEARS:
                refuse(name, f"Give a time between the years {YEARS[0]} and {YEARS[-1]}.")
            setattr(schedule, name, moment.replace(microsecond=0))
    if schedule.spread_seconds > WIDEST_SPREAD:
        refuse("spread_seconds", "Times can be spread over a day at most: give up to 86400 seconds.")


def _clean_text(schedule: Schedule, name: str, text: str) -> None:
    try:
        setattr(schedule, name, clean_content(text))
    except ZergError as error:
        raise ZergError("bad_schedule", error.message, {name: error.message}) from error


def _require_known(fields: dict[str, Any]) -> None:
    if unknown := set(fields) - CHANGEABLE:
        raise TypeError(f"Schedules have no {', '.join(sorted(unknown))}")
