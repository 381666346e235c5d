"""What a prompt's variables become: plain text, once, bounded, and for many schedules at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from agents.models import Agent
from common.errors import ZergError
from runs.models import Run
from tests.triggers.conftest import NOON, MakeSchedule
from threads.models import Thread, ThreadMessage
from threads.services import clean_content, create_thread
from triggers.firing import fire, fire_due
from triggers.models import Schedule
from triggers.prompts import fill, lasts_of
from triggers.services import run_now, update_schedule

ALL = "{{now}} | {{last_run}} | {{last_result}} | {{ change }} | {{Now}}"


def ended(schedule: Schedule, began: datetime, answer: str, **fields: Any) -> Run:
    """A run of the schedule that has ended, in a thread of its own."""
    thread = create_thread(schedule.agent, owner=schedule.owner, title="Once")
    run = Run.objects.create(
        **{
            "thread": thread, "agent": schedule.agent, "trigger": "schedule", "status": "succeeded",
            "schedule_id": schedule.pk, "queued_at": began, "started_at": began, "finished_at": began, **fields,
        }
    )  # fmt: skip
    ThreadMessage.objects.create(thread=thread, seq=1, role="assistant", content=answer, run_id=run.pk)
    return run


def told(schedule: Schedule) -> str:
    """What the newest run of the schedule was told."""
    message = Run.objects.filter(schedule_id=schedule.pk).latest("id").input_message
    assert message is not None
    return message.content


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{now}}, {{ now }}, {{now}}", "12:00, 12:00, 12:00"),
        ("{{payload}}", "{{now}} {% now %} {{payload}}"),
        ("{{other}} {{now.year}} {now} {{NOW}} {{now}", "{{other}} {{now.year}} {now} {{NOW}} {{now}"),
        ("nothing", "nothing"),
    ],
)
def test_a_variable_is_replaced_once_and_what_is_unknown_stays(text: str, filled: str) -> None:
    assert fill(text, {"now": "12:00", "payload": "{{now}} {% now %} {{payload}}"}) == filled


def test_values_never_make_a_message_too_long() -> None:
    huge = "é\x00\ud800" * 200_000
    for text in ("{{payload}}", "{{payload}}" * 50, "x" * (settings.MESSAGE_MAX_BYTES - 20) + "{{payload}}"):
        filled = fill(text, {"payload": huge})
        assert clean_content(filled) == filled
    assert "[… cut: 600,000 characters in all]" in fill("{{payload}}", {"payload": huge})


def test_a_schedule_says_the_time_in_its_zone_and_that_nothing_was_before(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule(prompt=ALL, timezone="Europe/Berlin")
    run_now(schedule, actor=schedule.owner)
    now = "2026-03-27T13:00:00+01:00 (Friday, Europe/Berlin)"
    assert (
        told(schedule)
        == f"{now} | never | There is no result yet. | Asked for by hand; nothing was looked at. | {{{{Now}}}}"
    )


def test_the_clock_says_the_last_run_that_succeeded_and_the_last_result(
    make_schedule: MakeSchedule, clock: time_machine.Traveller
) -> None:
    schedule = make_schedule(prompt="{{last_run}} | {{last_result}}")
    ended(schedule, NOON - timedelta(hours=5), "Old.")
    ended(schedule, NOON - timedelta(hours=4), "All {{now}} well.")
    ended(schedule, NOON - timedelta(hours=3), "Nothing new.", nothing_new=True)
    ended(schedule, NOON - timedelta(hours=2), "Rehearsed.", terms_stored={"rehearsal": True})
    ended(schedule, NOON - timedelta(hours=1), "Failed.", status="failed")
    ended(make_schedule(prompt="other"), NOON, "Another's.")
    clock.move_to(NOON + timedelta(days=1))
    assert schedule.next_run_at is not None
    fire(schedule, schedule.next_run_at)
    assert told(schedule) == "2026-03-27T09:00:00+00:00 (Friday, UTC) | All {{now}} well."


def test_the_task_of_an_agent_has_variables_too(make_schedule: MakeSchedule, agent: Agent) -> None:
    Agent.objects.filter(pk=agent.pk).update(task_instructions="Since {{last_run}}")
    schedule = make_schedule()
    run_now(schedule, actor=schedule.owner)
    assert told(schedule) == "Since never"


def test_a_long_result_is_cut(make_schedule: MakeSchedule) -> None:
    schedule = make_schedule(prompt="{{last_result}}")
    ended(schedule, NOON, "word " * 10_000)
    run_now(schedule, actor=schedule.owner)
    assert len(told(schedule)) <= 8_000
    assert told(schedule).endswith("[… cut: 50,000 characters in all]")


def test_many_at_once_ask_for_their_last_runs_together_and_only_if_they_name_them(make_schedule: MakeSchedule) -> None:
    plain = [make_schedule(prompt="at {{now}}") for _ in range(5)]
    with CaptureQueriesContext(connection) as queries:
        assert lasts_of(plain) == {}
    assert len(queries) == 0
    asking = [make_schedule(prompt="since {{last_run}}: {{last_result}}") for _ in range(20)]
    for number, schedule in enumerate(asking):
        ended(schedule, NOON, f"Result {number}")
    with CaptureQueriesContext(connection) as queries:
        lasts = lasts_of([*plain, *asking])
    assert len(queries) == 3
    assert [lasts[schedule.pk].result for schedule in asking] == [f"Result {number}" for number in range(20)]
    assert {lasts[schedule.pk].began for schedule in asking} == {NOON}


def test_each_of_many_that_are_due_is_told_its_own(make_schedule: MakeSchedule, clock: time_machine.Traveller) -> None:
    schedules = [make_schedule(prompt="{{last_result}}") for _ in range(4)]
    for number, schedule in enumerate(schedules):
        ended(schedule, NOON, f"Result {number}")
    clock.move_to(NOON + timedelta(days=1))
    fire_due()
    assert [told(schedule) for schedule in schedules] == [f"Result {number}" for number in range(4)]


def test_a_check_that_cannot_be_made_is_refused_at_its_field(make_schedule: MakeSchedule) -> None:
    for fields in ({"check_kind": "regex", "check_text": "("}, {"check_kind": "contains"}):
        with pytest.raises(ZergError) as refused:
            make_schedule(**fields)
        assert (refused.value.code, list(refused.value.fields)) == ("bad_schedule", ["check_text"])
    schedule = make_schedule(check_kind="contains", check_text="ORDER")
    with pytest.raises(ZergError):
        update_schedule(schedule, check_kind="json_schema")
    with pytest.raises(ZergError) as refused:
        update_schedule(schedule, context_policy="last_runs", context_runs=21)
    assert "context_runs" in refused.value.fields


def test_a_run_has_the_terms_of_its_schedule(make_schedule: MakeSchedule, owner: User, thread: Thread) -> None:
    fields = {"check_kind": "contains", "check_text": "ORDER", "context_policy": "last_runs", "context_runs": 5}
    schedule = make_schedule(**fields)
    run = run_now(schedule, actor=owner)
    assert (run.terms.check, run.terms.check_text) == ("contains", "ORDER")
    assert (run.terms.context, run.terms.context_runs) == ("last_runs", 5)
    assert run.is_unattended
    assert not Run(thread=thread, trigger="chat", queued_at=datetime.now(UTC)).is_unattended
