"""What people do with schedules. ``triggers.firing`` does what the clock does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
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
from runs import notices
from runs.models import Notice, Run
from runs.services import Start, prompt_for, start_runs
from threads.models import Thread
from threads.services import clean_content, create_thread
from triggers import timing
from triggers.models import Schedule

TIMING = ("kind", "expression", "timezone")
CHANGEABLE = {
    *TIMING, "name", "prompt", "enabled", "thread_mode", "thread", "missed_policy", "overlap_policy", "agent", "owner",
    "starts_at", "ends_at", "most_runs", "spread_seconds", "roll_every", "roll_runs", "context_policy", "context_runs",
    "missed_limit", "check_kind", "check_text", "failure_limit", "notify_policy", "notify_email", "notify_hook",
    "watch_kind", "watch_url", "watch_path",
}  # fmt: skip


@transaction.atomic
def create_schedule(agent: Agent, *, owner: User, **fields: Any) -> Schedule:
    """A new schedule of ``owner``; without a ``timezone`` it has the owner's. Raises ZergError(``bad_schedule``)."""
    _require_known(fields)
    schedule = Schedule(agent=agent, owner=owner, **{"timezone": owner.timezone, **fields})
    _clean(schedule)
    _set_next_time(schedule)
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
    before, was_enabled, mode = timing_of(current), current.enabled, current.thread_mode
    agents = {current.agent_id}
    for name, value in changes.items():
        setattr(current, name, value)
    agents.add(current.agent_id)
    if "thread" not in changes and (current.thread_mode != mode or len(agents) > 1):
        current.thread = None
    _clean(current)
    current.is_default = current.is_default and current.kind == Schedule.Kind.CRON and len(agents) == 1
    if timing_of(current) != before or current.enabled != was_enabled:
        _set_next_time(current)
    current.save()
    notices.settle(Notice.objects.filter(schedule_id=current.pk))
    for agent_id in agents:
        tell_agent(agent_id)
    return current


def check_schedule(wanted: Schedule, *, current: Schedule | None) -> None:
    """Whether saving ``wanted`` over ``current`` (None: as a new one) would do. Raises ZergError(``bad_schedule``)."""
    _clean(wanted)
    if current is None or timing_of(wanted) != timing_of(current) or wanted.enabled != current.enabled:
        _set_next_time(wanted)


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
    (thread_id,) = threads_of([current])
    prompt = clean_content(prompt_for(current.agent, current.prompt))
    (run,) = start_runs([start_of(current, thread_id, prompt, author=actor, trigger=Run.Trigger.MANUAL)])
    Schedule.objects.filter(pk=current.pk).update(thread=current.thread, last_run_at=clock.now())
    return run


@transaction.atomic
def rehearse(schedule: Schedule, *, actor: User) -> Run:
    """Runs it as it would run, in a thread made for that: tools that change things are answered by a stub, nobody is
    told, and it counts in no figure. Raises ZergError as ``run_now`` does.
    """
    current = _locked(schedule)
    if current.agent.archived_at is not None:
        raise ZergError("conflict", f"{current.agent} is archived. Restore it first.")
    prompt = clean_content(prompt_for(current.agent, current.prompt))
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


def start_of(
    schedule: Schedule, thread_id: int, prompt: str, *, author: User, trigger: Run.Trigger, key: str | None = None
) -> Start:
    """A run of the schedule, on its terms."""
    return Start(thread_id, prompt, author, trigger, key, terms=schedule.terms, schedule_id=schedule.pk)


def preview(kind: str, expression: str, timezone: str, after: datetime | None = None) -> dict[str, Any]:
    """What a timing means and its next five times: ``{sentence, kind, expression, timezone, next, note}``.

    ``next`` holds ISO times in UTC with ``Z``. Raises ZergError(``bad_schedule``) as saving would.
    """
    start = after or clock.now()
    clean = timing.check(kind, expression, timezone, start)
    times = timing.next_times(kind, clean, timezone, start, 5)
    return {
        "sentence": timing.describe(kind, clean, timezone),
        "kind": kind,
        "expression": clean,
        "timezone": timezone,
        "next": [time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for time in times],
        "note": timing.note(kind, clean, timezone, start, times),
    }


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


def threads_of(schedules: Sequence[Schedule]) -> list[int]:
    """The ids of the threads that the next runs write to, made where there are none.

    A schedule remembers a thread of its own (not saved yet). Raises ZergError when a bound one is gone.
    """
    each_time = Schedule.ThreadMode.NEW
    threads = {row.pk: row.thread_id for row in schedules if row.thread_id and row.thread_mode != each_time}
    new = [row for row in schedules if row.pk not in threads]
    if any(row.thread_mode == Schedule.ThreadMode.BOUND for row in new):
        raise ZergError("conflict", "The thread it wrote to was deleted. Choose another one.")
    made = Thread.objects.bulk_create(
        Thread(
            agent=row.agent,
            owner=row.owner,
            title=row.title[:200],
            thread_type=Thread.Type.SCHEDULE,
            title_by_person=True,
        )
        for row in new
    )
    for row, thread in zip(new, made, strict=True):
        threads[row.pk] = thread.pk
        if row.thread_mode == Schedule.ThreadMode.OWN:
            row.thread = thread
    return [threads[row.pk] for row in schedules]


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


def timing_of(schedule: Schedule) -> tuple[str, str, str]:
    """Kind, expression and zone: what functions of ``triggers.timing`` begin with."""
    return schedule.kind, schedule.expression, schedule.timezone


def _locked(schedule: Schedule) -> Schedule:
    rows = Schedule.objects.select_related("agent", "owner", "thread")
    current = rows.select_for_update(of=("self",), no_key=True).filter(pk=schedule.pk).first()
    if current is None:
        raise ZergError("not_found", "Schedule not found")
    return current


def _set_next_time(schedule: Schedule) -> None:
    now = clock.now()
    if schedule.enabled:
        if schedule.agent.archived_at is not None:
            _refuse("agent", f"{schedule.agent} is archived. Restore it first.")
        schedule.expression = timing.check(*timing_of(schedule), now)
        schedule.next_run_at = timing.next_times(*timing_of(schedule), now, 1)[0]
        schedule.disabled_reason = ""
    else:
        schedule.next_run_at = None


def _clean(schedule: Schedule) -> None:
    """Checks what a person gave and brings it into its stored form."""
    schedule.expression = timing.normal(*timing_of(schedule))
    try:
        schedule.clean_fields(exclude=["disabled_reason"])
    except ValidationError as error:
        fields = {name: " ".join(messages) for name, messages in error.message_dict.items()}
        raise ZergError("bad_schedule", next(iter(fields.values())), fields) from error
    schedule.name = " ".join(schedule.name.split())
    for name in ("name", "prompt"):
        if text := getattr(schedule, name).strip():
            _clean_text(schedule, name, text)
    if not schedule.agent.workspace.memberships.filter(user=schedule.owner).exists():
        _refuse("owner", f"{schedule.owner} is no member of the workspace of {schedule.agent}.")
    is_bound = schedule.thread_mode == Schedule.ThreadMode.BOUND
    thread = schedule.thread
    if is_bound and thread is None:
        _refuse("thread", "Choose the thread that it writes to.")
    if thread and (thread.owner_id, thread.agent_id) != (schedule.owner_id, schedule.agent_id):
        _refuse("thread", "It can write only to a thread of its owner with the same agent.")
    if schedule.thread_mode == Schedule.ThreadMode.NEW:
        schedule.thread = None


def _clean_text(schedule: Schedule, name: str, text: str) -> None:
    try:
        setattr(schedule, name, clean_content(text))
    except ZergError as error:
        raise ZergError("bad_schedule", error.message, {name: error.message}) from error


def _refuse(field: str, sentence: str) -> None:
    raise ZergError("bad_schedule", sentence, {field: sentence})


def _require_known(fields: dict[str, Any]) -> None:
    if unknown := set(fields) - CHANGEABLE:
        raise TypeError(f"Schedules have no {', '.join(sorted(unknown))}")
