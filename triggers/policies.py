"""What of a schedule's policies goes together."""

from __future__ import annotations

from typing import NoReturn

from common.errors import ZergError
from triggers.models import Schedule
from triggers.reckoning import MOST_MISSED


def check_policies(schedule: Schedule) -> None:
    """Raises ZergError(``bad_schedule``) with the field that is to be changed."""
    overlap, is_new = schedule.overlap_policy, schedule.thread_mode == Schedule.ThreadMode.NEW
    if overlap == Schedule.Overlap.TOGETHER and not is_new:
        refuse(
            "overlap_policy",
            "In one thread there is one run at a time. To run beside the last one, choose a new thread each time.",
        )
    if overlap == Schedule.Overlap.QUEUE and is_new:
        refuse(
            "overlap_policy",
            "A run in a new thread has nothing to wait behind. Choose to skip it, or to run it beside the last one.",
        )
    if schedule.roll_runs < 1:
        refuse("roll_runs", "Give at least one run to each thread.")
    if not 1 <= schedule.missed_limit <= MOST_MISSED:
        refuse("missed_limit", f"Give a number from 1 to {MOST_MISSED}: so many missed times are run at most.")
    if schedule.most_runs == 0:
        refuse("most_runs", "Let it run at least once, or leave this empty.")


def refuse(field: str, sentence: str) -> NoReturn:
    """Raises the error of one field."""
    raise ZergError("bad_schedule", sentence, {field: sentence})
