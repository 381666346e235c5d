"""How the runs of a schedule end, and what that means for it: failures in a row put its next times off, then stop it.

The end of a run must not touch its schedule's row. It holds the run's thread, while the clock, and whoever runs a
schedule now, hold the schedule and ask for the thread: each would wait for the other. So the end leaves a row of its
own behind, in its transaction, for which nobody waits (``write_down``), and a moment later a transaction that holds no
thread takes the row away and counts it (``settle``): the worker's, right after the commit, or, where the worker died in
between, the clock's with its next tick. The row can be taken away once, so each run counts once.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from common.bulk import save_each
from common.prepared import prepared
from runs.models import Run, RunStatus
from triggers import switching
from triggers.models import RunEnd, Schedule
from triggers.services import tell_agents

log = logging.getLogger(__name__)

LONGEST_BACK_OFF = timedelta(days=1)
FIRST_BACK_OFF = timedelta(minutes=1)
BATCH = 100


def write_down(sender: type[Run], *, run: Run, status: RunStatus, message: str, **_: Any) -> None:
    """A run has ended; inside the transaction of its end."""
    if run.schedule_id is None or status == RunStatus.CANCELLED or run.terms.rehearsal:
        return
    failed = status == RunStatus.FAILED
    by_clock = run.trigger == Run.Trigger.SCHEDULE and run.key is not None
    if failed and not by_clock:  # a person tried, and has seen that it failed
        return
    if not failed and not _has_failed(run.schedule_id):
        return
    schedule_id = run.schedule_id
    RunEnd.objects.create(schedule_id=schedule_id, run_id=run.pk, failed=failed, error=message[:200])
    # What is not counted now, whatever happens, the next tick counts.
    transaction.on_commit(lambda: settle([schedule_id]), robust=True)


def _has_failed(schedule_id: int) -> bool:
    """Whether a success changes anything: nearly always it does not, and looking takes no lock."""
    waits = RunEnd.objects.filter(schedule_id=OuterRef("pk"))
    row = Schedule.objects.filter(pk=schedule_id).values_list("failures_in_row", Exists(waits)).first()
    return row is not None and any(row)


def settle_all() -> None:
    """Counts what nobody has counted yet. Whatever goes wrong here, the clock goes on."""
    try:
        while ids := set(_uncounted()):
            settle(ids)
    except Exception:
        log.warning("Ends of runs wait for the next tick to be counted", exc_info=True)


@prepared
def _uncounted() -> QuerySet[RunEnd, int]:
    return RunEnd.objects.values_list("schedule_id", flat=True)[:BATCH]


@transaction.atomic
def settle(schedule_ids: Collection[int]) -> None:
    """Counts the ends of runs of these schedules, in their order, and switches off what has failed too often."""
    rows = Schedule.objects.filter(pk__in=schedule_ids).order_by("pk")
    schedules = rows.select_for_update(of=("self",), no_key=True).prefetch_related("agent").in_bulk()
    ends = list(RunEnd.objects.filter(schedule_id__in=schedule_ids).order_by("pk"))
    RunEnd.objects.filter(pk__in=[end.pk for end in ends]).delete()
    changed, stopped = {}, {}
    for end in ends:
        schedule = schedules.get(end.schedule_id)
        if schedule is None:  # it was deleted
            continue
        changed[schedule.pk] = schedule
        if _count(schedule, end):
            stopped[schedule.pk] = schedule
    _save(list(changed.values()), list(stopped.values()))


def note_failure(schedule: Schedule, sentence: str) -> None:
    """A look before a run has failed for good, which counts as a run that failed; under the schedule's lock."""
    stops = _count(schedule, RunEnd(schedule_id=schedule.pk, failed=True, error=sentence[:200]))
    _save([schedule], [schedule] if stops else [])


def _save(changed: Sequence[Schedule], stopped: Sequence[Schedule]) -> None:
    save_each(changed, ["failures_in_row", "back_off_until"])
    if stopped:
        save_each(stopped, ["enabled", "disabled_reason", "next_run_at", "off_from"])
        tell_agents({schedule.agent_id for schedule in stopped})
        switching.tell_owners(stopped)


def _count(schedule: Schedule, end: RunEnd) -> bool:
    """One more end of a run. True where it stops the schedule."""
    if not end.failed:
        schedule.failures_in_row, schedule.back_off_until = 0, None
        return False
    schedule.failures_in_row += 1
    count, limit = schedule.failures_in_row, schedule.failure_limit
    schedule.back_off_until = end.ended_at + back_off(count)
    if not limit or count < limit or not schedule.enabled:
        return False
    times = "It failed." if count == 1 else f"It failed {count} times in a row."
    switching.switch_off(schedule, f"{times} The last error: {end.error or 'none was given.'}")
    return True


def back_off(failures: int) -> timedelta:
    """How long nothing is run after so many failures in a row: a minute, doubled by each, a day at most."""
    return min(FIRST_BACK_OFF * (1 << min(failures - 1, 20)), LONGEST_BACK_OFF)
