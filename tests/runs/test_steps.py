"""Steps: what is done once only is so by a constraint of the database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from runs.models import Run, Step
from runs.services import start_run
from threads.models import Thread


@pytest.fixture
def run(thread: Thread) -> Run:
    return start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT)


def step(run: Run, index: int, status: Step.Status, key: str | None) -> Step:
    return Step.objects.create(
        run=run, index=index, kind=Step.Kind.TOOL, name="post", status=status, key=key, started_at=timezone.now()
    )


def test_what_has_succeeded_cannot_succeed_again(run: Run) -> None:
    step(run, 1, Step.Status.FAILED, "k")
    step(run, 2, Step.Status.CANCELLED, "k")
    step(run, 3, Step.Status.SUCCEEDED, "k")
    again = step(run, 4, Step.Status.STARTED, "k")
    with pytest.raises(IntegrityError), transaction.atomic():
        Step.objects.filter(pk=again.pk).update(status=Step.Status.SUCCEEDED)
    step(run, 5, Step.Status.SUCCEEDED, "other")


def test_steps_without_a_key_are_not_compared(run: Run) -> None:
    for index in (1, 2):
        step(run, index, Step.Status.SUCCEEDED, None)
    assert Step.objects.filter(status=Step.Status.SUCCEEDED).count() == 2


def test_the_keys_of_a_run_tell_it_from_one_of_the_same_number_in_a_zerg_made_anew(run: Run) -> None:
    run.queued_at = datetime(2026, 3, 27, 7, 0, 2, 45, tzinfo=UTC)
    assert run.call_key == f"run-{run.pk}-20260327T070002000045"
