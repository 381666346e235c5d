"""Realistic data in any quantity, for trials, screenshots and benchmarks (``./zerg manage seed``)."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from random import Random

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from common.markdown import render_html
from runs.models import Run, RunStatus, Step
from threads.models import Thread, ThreadMessage

BATCH = 2000

ROLES = [
    ("Scout", "Reads release notes and changelogs each morning and writes a brief."),
    ("Invoices", "Matches bank lines with invoices and says what is missing."),
    ("Watchdog", "Looks at the shop's pages and says what changed."),
    ("Minutes", "Turns meeting notes into decisions and tasks."),
    ("Tutor", "Explains one idea a day, with an exercise."),
    ("Gardener", "Plans the week in the garden by the weather."),
]
QUESTIONS = [
    "What changed upstream this week?",
    "Summarise what changed since yesterday and flag anything that breaks us.",
    "Which invoices of October are still open?",
    "Compare the two versions and tell me which one to take.",
    "Write me a shell line that lists the ten largest files here.",
]
ANSWERS = [
    "Two releases landed. One needs action before Friday:\n\n"
    "| Package | From | To | Risk |\n|---|---|---|---|\n| asgi-core | 3.8 | 4.0 | High |\n"
    "| httpkit | 0.28.1 | 0.28.2 | None |\n\n```python\n"
    "async def lifespan(app):\n    async with app.state.pool:   # moved in 4.0\n        yield\n```\n",
    "Nothing new since yesterday. The three open questions from Monday are still open.",
    "Three are open:\n\n1. **Nordwind**, 1,240.00, due on the 4th\n2. **Papier & Co**, 86.20, due on the 9th\n"
    "3. **Hosting**, 49.00, due on the 12th\n\nThe first one is late by two days.",
    "Take the second. It is smaller, its tests run in half the time, and what it lacks, *retries*, you do not use.",
    "```sh\nfind . -type f -printf '%s %p\\n' | sort -rn | head -n 10\n```\n\nSizes are in bytes, the largest first.",
]


def make(user: User, *, agents: int, threads: int, messages: int, seed: int = 1) -> None:
    """Adds agents, threads and messages in these quantities to the user's workspace; the same seed, the same data."""
    chance = Random(seed)  # noqa: S311 - sample data, not a secret
    made = [_agent(user, number, chance) for number in range(agents)]
    with transaction.atomic():
        rows = [_thread(user, made[number % agents], chance) for number in range(threads)] if agents else []
        Thread.objects.bulk_create(rows, batch_size=BATCH)
    for number, thread in enumerate(rows):
        share = messages // threads + (number < messages % threads)
        _fill(thread, share, chance)
    _link_rows()


def _agent(user: User, number: int, chance: Random) -> Agent:
    name, description = ROLES[number % len(ROLES)]
    suffix = f" {number // len(ROLES) + 1}" if number >= len(ROLES) else ""
    agent = create_agent(
        workspace=user.give_workspace(),
        author=user,
        name=name + suffix,
        description=description,
        system_instructions=f"You are {name}. {description} Be brief.",
        task_instructions="Summarise what changed since the last run.",
    )
    agent.pulse = "".join(chance.choices("sfc", [90, 7, 3], k=30))
    agent.last_run_at = timezone.now() - timedelta(minutes=chance.randrange(5, 3000))
    agent.save(update_fields=["pulse", "last_run_at"])
    return agent


def _thread(user: User, agent: Agent, chance: Random) -> Thread:
    return Thread(agent=agent, owner=user, title=chance.choice(QUESTIONS)[:60])


def _fill(thread: Thread, count: int, chance: Random) -> None:
    """Questions and answers in turn, ``count`` rows in all, each answer with its run and step."""
    began = timezone.now() - timedelta(hours=count)
    answered = timezone.now()
    moments = [began + timedelta(hours=number) for number in range(count)]
    runs = Run.objects.bulk_create([_run(thread, moment, answered) for moment in moments[1::2]], batch_size=BATCH)
    rendered = {answer: str(render_html(answer)) for answer in ANSWERS}
    rows = []
    for number, moment in enumerate(moments):
        run = runs[number // 2] if number // 2 < len(runs) else None
        rows.append(_message(thread, number, moment, run, chance, rendered))
    made = iter(rows)
    while batch := list(islice(made, BATCH)):
        ThreadMessage.objects.bulk_create(batch)
    Step.objects.bulk_create([_step(run) for run in runs], batch_size=BATCH)
    leaf = rows[-1] if rows else None
    Thread.objects.filter(pk=thread.pk).update(leaf=leaf, last_seq=count, version=count)


def _run(thread: Thread, moment: datetime, answered: datetime) -> Run:
    return Run(
        thread=thread,
        agent_id=thread.agent_id,
        actor_id=thread.owner_id,
        status=RunStatus.SUCCEEDED,
        reason=Run.Reason.COMPLETED,
        trigger=Run.Trigger.CHAT,
        attempt=1,
        model="sample",
        queued_at=moment,
        started_at=moment,
        first_token_at=moment,
        finished_at=min(moment + timedelta(seconds=4), answered),
        input_tokens=900,
        output_tokens=120,
    )


def _step(run: Run) -> Step:
    return Step(
        run=run,
        index=1,
        kind=Step.Kind.MODEL,
        name="sample",
        status=Step.Status.SUCCEEDED,
        started_at=run.started_at or run.queued_at,
        finished_at=run.finished_at,
        input_tokens=run.input_tokens,
        cached_tokens=0,
        output_tokens=run.output_tokens,
    )


def _message(
    thread: Thread, number: int, moment: datetime, run: Run | None, chance: Random, rendered: dict[str, str]
) -> ThreadMessage:
    is_question = number % 2 == 0
    content = chance.choice(QUESTIONS if is_question else ANSWERS)
    return ThreadMessage(
        thread=thread,
        seq=number + 1,
        version=number + 1,
        role=ThreadMessage.Role.USER if is_question else ThreadMessage.Role.ASSISTANT,
        source=ThreadMessage.Source.USER if is_question else ThreadMessage.Source.AGENT,
        content=content,
        html="" if is_question else rendered[content],
        author_id=thread.owner_id if is_question else None,
        run_id=run.pk if run else None,
        timestamp=moment,
        input_tokens=None if is_question else 900,
        cached_tokens=None if is_question else 0,
        output_tokens=None if is_question else 120,
    )


def _link_rows() -> None:
    """Each row follows the one before it; one statement, since ids are known only after the rows are there."""
    table = connection.ops.quote_name(ThreadMessage._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET parent_id = (SELECT earlier.id FROM {table} earlier "  # noqa: S608 - a constant name
            f"WHERE earlier.thread_id = {table}.thread_id AND earlier.seq = {table}.seq - 1) "
            f"WHERE parent_id IS NULL AND seq > 1"
        )
