"""The heading of a run that no human started, in its thread."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from runs.models import Run
from runs.services import start_runs
from runs.starting import Start
from tests.conftest import ClientOf
from threads.models import Thread
from threads.services import add_message, change
from triggers.models import Occurrence
from triggers.services import create_schedule


@pytest.fixture
def run(thread: Thread, owner: User) -> Run:
    """One of a schedule, which has answered."""
    schedule = create_schedule(thread.agent, owner=owner, expression="0 7 * * 1-5", prompt="What is new?")
    start = Start(thread.pk, "What is new?", owner, Run.Trigger.SCHEDULE, schedule_id=schedule.pk)
    (run,) = start_runs([start])
    with change(thread.pk) as locked:
        add_message(locked, role="assistant", source="agent", content="Nothing much.", run_id=run.pk)
    due = timezone.now().replace(hour=7, minute=0, second=0, microsecond=0)
    Occurrence.objects.create(
        schedule=schedule, scheduled_for=due, fired_at=due, outcome=Occurrence.Outcome.RAN, run=run
    )
    end = timezone.now()
    Run.objects.filter(pk=run.pk).update(started_at=end - timedelta(seconds=41), finished_at=end, status="succeeded")
    run.refresh_from_db()
    return run


def test_it_says_when_it_was_due_and_how_it_went(run: Run, owner: User, client_of: ClientOf) -> None:
    page = client_of(owner).get(f"/threads/{run.thread_id}/").content.decode()
    heading = page[page.index('class="divider"') : page.index("</button>", page.index('class="divider"'))]
    for said in ("scheduled run, at 07:00 on weekdays", f"run {run.pk}", "due <time", "Done", "41 s"):
        assert said in heading
    assert f'data-fold="{run.pk}" aria-expanded="true"' in heading
    assert "data-folded" not in page


def test_one_that_found_nothing_new_is_folded_away(run: Run, owner: User, client_of: ClientOf) -> None:
    Run.objects.filter(pk=run.pk).update(nothing_new=True)
    page = client_of(owner).get(f"/threads/{run.thread_id}/").content.decode()
    assert "nothing new" in page
    assert page.count(" data-folded>") == 2
    assert f'data-fold="{run.pk}" aria-expanded="false"' in page
