"""What stands in a prompt for what is known only when it is used: ``{{now}}``, ``{{last_result}}`` and the like.

Plain replacement, once: a value is text, and nothing in it is looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery

from common.text import cut
from runs.models import Run
from runs.remembering import ANSWER_TOKENS, BYTES_PER_TOKEN
from runs.series import results_of, told, worked
from runs.services import prompt_for
from threads.services import clean_content
from triggers.models import Schedule

VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
MOST_BYTES = 64 * 1024
"""Of one value: about 16,000 tokens. Less where several have to fit into one message."""
RESULT_BYTES = ANSWER_TOKENS * BYTES_PER_TOKEN
NEVER, NO_RESULT = "never", "There is no result yet."


def names_in(text: str) -> set[str]:
    """The variables that a prompt names, known or not."""
    return set(VARIABLE.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with the values of the variables it names; one that is not among them is left as it stands.

    Values are cut so that they alone never make a message too long, and without what no message can hold.
    """
    places = sum(name in values for name in VARIABLE.findall(text))
    room = min(MOST_BYTES, max(settings.MESSAGE_MAX_BYTES - len(text.encode("utf-8", "replace")), 0) // max(places, 1))
    fitted = {name: cut(_storable(value), room) for name, value in values.items()}
    return VARIABLE.sub(lambda found: fitted.get(found[1], found[0]), text)


def _storable(value: str) -> str:
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Last:
    """When the last run of a schedule that succeeded began, and the last result; None and empty without one."""

    began: datetime | None = None
    result: str = ""


NO_LAST = Last()


def lasts_of(schedules: Sequence[Schedule]) -> dict[int, Last]:
    """Of those whose prompts ask for it, by their ids. A few queries, however many they are; none if nobody asks."""
    asking = [row.pk for row in schedules if names_in(_text(row)) & {"last_run", "last_result"}]
    if not asking:
        return {}
    runs = Run.objects.filter(schedule_id=OuterRef("pk"))
    found = Schedule.objects.filter(pk__in=asking).annotate(
        began=Subquery(worked(runs).values("started_at")[:1]), told=Subquery(told(runs).values("pk")[:1])
    )
    rows = list(found.values_list("pk", "began", "told"))
    results = results_of([run_id for _, _, run_id in rows if run_id is not None])
    return {pk: Last(began, results[run].answer if run in results else "") for pk, began, run in rows}


def last_of(runs: QuerySet[Run]) -> Last:
    """Of one series of runs."""
    began = worked(runs).values_list("started_at", flat=True).first()
    results = results_of(list(told(runs).values_list("pk", flat=True)[:1]))
    return Last(began, next((result.answer for result in results.values()), ""))


def prompt_of(
    schedule: Schedule,
    now: datetime,
    last: Last = NO_LAST,
    *,
    values: Mapping[str, str] | None = None,
    change: str | None = None,
) -> str:
    """What a run of the schedule is told that starts ``now``; ``values`` are those of more variables. A ``change`` that
    the prompt does not name stands below it, so that it is never lost.

    Raises ZergError when there is nothing to say, or what cannot be stored.
    """
    text = prompt_for(schedule.agent, schedule.prompt)
    names = names_in(text)
    if change is not None and "change" not in names:
        text, names = f"{text}\n\n## What changed\n\n{{{{change}}}}", {*names, "change"}
    if not names:
        return clean_content(text)
    more = {"change": change} if change is not None else {}
    return clean_content(fill(text, {**known(now, schedule.timezone, last), **(values or {}), **more}))


def known(now: datetime, zone: str, last: Last) -> dict[str, str]:
    """The variables that every prompt has."""
    return {
        "now": moment(now, zone),
        "last_run": moment(last.began, zone) if last.began else NEVER,
        "last_result": cut(last.result, RESULT_BYTES) or NO_RESULT,
    }


def moment(time: datetime, zone: str) -> str:
    """A time as people and models read it, exact: ``2026-03-27T07:00:00+01:00 (Friday, Europe/Berlin)``."""
    there = time.astimezone(ZoneInfo(zone))
    return f"{there.isoformat(timespec='seconds')} ({there:%A}, {zone})"


def _text(schedule: Schedule) -> str:
    return schedule.prompt.strip() or schedule.agent.task_instructions.strip()
