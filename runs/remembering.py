"""What a run is told beside its instructions: what its terms say, bounded however many runs there were before."""

from __future__ import annotations

from dataclasses import replace

from common.text import cut
from engine import Message, RunSpec, Tool
from engine.memory import budget
from runs import series
from runs.models import Run
from runs.records import is_left_behind
from runs.series import Result
from runs.terms import MOST_CONTEXT_RUNS, Context
from threads.models import ThreadMessage
from threads.transcript import branch, history, walk_back

ANSWER_TOKENS = 2000
"""Of a result's answer the model reads at most so many, and at most a quarter of its budget."""
PROMPT_TOKENS = 500
"""Of the prompt that a result answered: at most so many, and at most a sixteenth."""
BYTES_PER_TOKEN = 4


def bounded(run: Run, spec: RunSpec) -> RunSpec:
    """How the history of a run on these terms is fitted: the memory strategy is one for conversations."""
    match run.terms.context:
        case Context.WHOLE_THREAD:
            return spec
        case Context.SUMMARY:
            # The last result and the run itself are read as they are; whatever came before is folded.
            return replace(spec, memory="summary", keep_turns=2)
    return replace(spec, memory="buffer")


def told_to(run: Run, spec: RunSpec, tools: list[Tool]) -> tuple[list[Message], list[ThreadMessage]]:
    """The history of a run, and the rows of its thread behind those of its messages that are not summaries."""
    if run.terms.context == Context.WHOLE_THREAD:
        rows = [row for row in branch(run.thread, run.thread.leaf_id) if not is_left_behind(row, run.pk)]
        return history(rows)
    own, spoken = history(own_rows(run, run.thread.leaf_id))
    there = budget(spec, tools)
    return [*_before(run, there), *own], spoken


def own_rows(run: Run, leaf_id: int | None) -> list[ThreadMessage]:
    """Its message and what came of it so far, oldest first: also of the runs that it goes on from."""
    rows: list[ThreadMessage] = []
    for row in walk_back(run.thread_id, leaf_id):
        if run.input_message_id is None and row.run_id != run.pk:
            break
        if not is_left_behind(row, run.pk):
            rows.append(row)
        if row.pk == run.input_message_id:
            break
    return rows[::-1]


def _before(run: Run, there: int) -> list[Message]:
    match run.terms.context:
        case Context.LAST_RESULT:
            return _as_messages(series.last_results(run, 1), there)
        case Context.LAST_RUNS:
            count = min(max(run.terms.context_runs, 1), MOST_CONTEXT_RUNS)
            return _as_messages(series.last_results(run, count), there)
        case Context.SUMMARY:
            summary = series.summary_before(run)
            if summary is None:
                return _as_messages(series.last_results(run, MOST_CONTEXT_RUNS), there)
            results = series.results_since(run, summary, MOST_CONTEXT_RUNS)
            return [Message("system", summary.content, is_summary=True), *_as_messages(results, there)]
    return []


def _as_messages(results: list[Result], there: int) -> list[Message]:
    prompt = max(min(PROMPT_TOKENS, there // 16), 0) * BYTES_PER_TOKEN
    answer = max(min(ANSWER_TOKENS, there // 4), 0) * BYTES_PER_TOKEN
    return [
        message
        for result in results
        for message in (Message("user", cut(result.prompt, prompt)), Message("assistant", cut(result.answer, answer)))
    ]
