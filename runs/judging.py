"""Whether a run that nobody watched did what was asked: the loop's end alone does not say so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from common.database import DatabaseThreads
from engine import reporting
from runs import checks
from runs.endings import Ending
from runs.models import Run, RunStatus
from runs.remembering import own_rows
from runs.terms import CheckKind
from threads.models import Thread, ThreadMessage

CUT = (
    "The answer was cut off at the limit of tokens, so it is not whole. "
    "Raise the longest answer in the agent's form, or ask for less."
)


@dataclass(frozen=True)
class Deeds:
    """What a run's tool calls say: the names of those that worked, and what the agent reported."""

    worked: frozenset[str]
    failure: str = ""
    nothing_new: str = ""


async def judged(database: DatabaseThreads, run: Run, ending: Ending, answer: str, *, is_cut: bool) -> Ending:
    """How the run ends whose loop came to ``ending`` with ``answer``.

    It succeeds when the loop ended normally, with a whole answer that is not empty and passes the check of its terms;
    or when the agent said that nothing is new. It fails when the agent said so.
    """
    deeds, terms = await database(_deeds, run), run.terms
    if deeds.failure:
        reason = Run.Reason.REPORTED_BY_AGENT
        return Ending(RunStatus.FAILED, reason, reason, deeds.failure)
    if deeds.nothing_new:
        ending = Ending(RunStatus.SUCCEEDED, Run.Reason.COMPLETED, nothing_new=deeds.nothing_new)
    elif is_cut:
        return Ending(RunStatus.FAILED, Run.Reason.TRUNCATED, Run.Reason.TRUNCATED, CUT)
    if ending.status != RunStatus.SUCCEEDED:
        return ending
    if terms.check == CheckKind.TOOL:
        problem = "" if terms.check_text in deeds.worked else checks.NOT_CALLED.format(terms.check_text)
    elif deeds.nothing_new:
        problem = ""
    else:
        problem = await asyncio.to_thread(checks.problem_of, terms.check, terms.check_text, answer)
    if problem:
        return Ending(RunStatus.FAILED, Run.Reason.CHECK_FAILED, Run.Reason.CHECK_FAILED, problem)
    return ending


def _deeds(run: Run) -> Deeds:
    """Read from the rows, so that a report counts also when the worker died right after it."""
    leaf_id = Thread.objects.values_list("leaf_id", flat=True).get(pk=run.thread_id)
    said = {
        row.name: row.content
        for row in own_rows(run, leaf_id)
        if row.role == ThreadMessage.Role.TOOL and row.status == ThreadMessage.Status.COMPLETE
    }
    return Deeds(
        worked=frozenset(said),
        failure=said.get(reporting.report_failure.name, "").removeprefix(reporting.FAILED),
        nothing_new=said.get(reporting.nothing_new.name, ""),
    )
