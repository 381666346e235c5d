"""What is old goes, as far as the operator wants it; the last of each stays, and so does what was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from accounts.models import User
from runs import retention as runs_retention
from runs.models import Notice, Run, Step
from runs.tasks import prune as prune_runs
from tests.conftest import ClientOf
from threads.models import ThreadMessage
from triggers import retention
from triggers.invariants import breaks
from triggers.models import Schedule
from triggers.tasks import prune, tick

from .conftest import DONE, FAILED, NOON, MakeSchedule, ledger, work

pytestmark = pytest.mark.django_db


def each_day(clock: time_machine.Traveller, days: int) -> None:
    for day in range(1, days + 1):
        clock.move_to(NOON + timedelta(days=day))
        tick()
        work()


def test_old_rows_of_the_ledger_go_but_for_the_last(
    make_schedule: MakeSchedule, clock: time_machine.Traveller, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KEEP_OCCURRENCES_DAYS = 3
    monkeypatch.setattr(retention, "BATCH", 2)
    often, seldom = make_schedule(), make_schedule("0 12 28 3 *", missed_policy="none")
    each_day(clock, 8)
    prune()
    assert [due for _, due in ledger(often)] == ["04-04 12:00", "04-03 12:00", "04-02 12:00", "04-01 12:00"]
    assert ledger(seldom) == [("ran", "03-28 12:00")]
    clock.move_to(NOON + timedelta(days=300))
    prune()
    assert [due for _, due in ledger(often)] == ["04-04 12:00"]
    assert Run.objects.count() == 9
    assert list(breaks()) == []


def aged(run: Run, days: int) -> None:
    """The run ended so long ago. Runs end on the database's clock, which no test moves."""
    Run.objects.filter(pk=run.pk).update(finished_at=datetime.now(UTC) - timedelta(days=days))


def test_runs_are_kept_for_ever_unless_the_operator_says_how_long(
    make_schedule: MakeSchedule, owner: User, client_of: ClientOf, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_retention, "BATCH", 2)
    schedule = make_schedule(failure_limit=0)
    runs = _seven_runs(schedule)
    prune_runs()
    assert Run.objects.count() == 7
    settings.KEEP_RUNS_DAYS = 30
    for run in runs:
        aged(run, 31 if run != runs[4] else 29)
    prune_runs()
    # The second failed, and nobody has seen it yet; the fifth is young; the last stays.
    assert set(Run.objects.all()) == {runs[1], runs[4], runs[6]}
    assert not Step.objects.exclude(run__in=[runs[1], runs[4], runs[6]]).exists()
    assert ThreadMessage.objects.filter(source="schedule").count() == 7
    assert schedule.occurrences.filter(outcome="ran").count() == 7
    assert list(breaks()) == []
    _the_thread_is_still_there(client_of(owner), schedule, gone=runs[0], kept=runs[6])
    Notice.objects.update(done_at=NOON)
    prune_runs()
    assert set(Run.objects.all()) == {runs[4], runs[6]}
    _the_thread_is_still_there(client_of(owner), schedule, gone=runs[1], kept=runs[6])


def _seven_runs(schedule: Schedule) -> list[Run]:
    runs = []
    with time_machine.travel(NOON, tick=False) as clock:
        for day in range(1, 8):
            clock.move_to(schedule_time := NOON + timedelta(days=day))
            Schedule.objects.filter(pk=schedule.pk).update(next_run_at=schedule_time)
            tick()
            (run,) = work(FAILED if day == 2 else DONE)
            runs.append(run)
            now = datetime.now(UTC)
            Step.objects.create(run=run, index=1, kind="model", name="m", status="succeeded", started_at=now)
            if day == 2:
                notice = Notice.objects.get(run=run)
        Notice.objects.filter(pk=notice.pk).update(done_at=None)
    return runs


def _the_thread_is_still_there(browser: Client, schedule: Schedule, *, gone: Run, kept: Run) -> None:
    schedule.refresh_from_db()
    assert schedule.thread_id is not None
    html = browser.get(reverse("threads:detail", args=[schedule.thread_id])).content.decode()
    assert html.count("scheduled run") == 7
    assert reverse("runs:detail", args=[kept.pk]) in html
    for dead in ("detail", "retry", "mark_done"):
        assert f'"{reverse(f"runs:{dead}", args=[gone.pk])}"' not in html
    page = browser.get(reverse("schedules:detail", args=[schedule.pk]))
    assert page.status_code == 200
