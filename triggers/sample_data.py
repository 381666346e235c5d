"""Realistic data in any quantity, for trials, screenshots and benchmarks (``./zerg manage seed``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from random import Random
from textwrap import shorten

from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from accounts.models import User
from agents.models import VERSIONED_FIELDS, Agent, AgentVersion
from common.markdown import render_html
from runs.models import Run, RunStatus, Step
from threads.models import Thread, ThreadMessage, ThreadRead
from triggers.models import Schedule
from triggers.services import tell_agents
from triggers.timing import Timing, next_times

BATCH = 2000
THREADS_AT_ONCE = 200
INPUT_TOKENS, OUTPUT_TOKENS, CONTEXT_WINDOW = 900, 120, 8192
"""Of each answer, by a model without a price."""

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
TITLES = [shorten(question, 60, placeholder=" …") for question in QUESTIONS]
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


def make(
    user: User, *, agents: int, threads: int, messages: int, longest: int = 0, schedules: int = 0, seed: int = 1
) -> None:
    """Adds data in these quantities to the user's workspace; the same seed, the same data.

    The messages are shared out evenly between the threads; the last thread has ``longest`` more.
    """
    chance = Random(seed)  # noqa: S311 - sample data, not a secret
    made = _agents(user, agents, chance)
    shares = [messages // threads + (number < messages % threads) for number in range(threads)]
    if longest:
        shares[-1] += longest
    for start in range(0, threads, THREADS_AT_ONCE):
        part = shares[start : start + THREADS_AT_ONCE]
        with transaction.atomic():
            _threads(user, [made[(start + number) % agents] for number in range(len(part))], part, chance)
    if schedules:
        _schedules(user, made, schedules, chance)


def _agents(user: User, count: int, chance: Random) -> list[Agent]:
    workspace, now = user.give_workspace(), timezone.now()
    made = []
    for number in range(count):
        name, description = ROLES[number % len(ROLES)]
        agent = Agent(
            workspace=workspace,
            created_by=user,
            name=name + (f" {number // len(ROLES) + 1}" if number >= len(ROLES) else ""),
            description=description,
            system_instructions=f"You are {name}. {description} Be brief.",
            task_instructions="Summarise what changed since the last run.",
            pulse="".join(chance.choices("sfc", [90, 7, 3], k=30)),
            last_run_at=now - timedelta(minutes=chance.randrange(5, 3000)),
            version_number=1,
        )
        made.append(agent)
    with transaction.atomic():
        Agent.objects.bulk_create(made)
        AgentVersion.objects.bulk_create(
            AgentVersion(
                agent=agent,
                number=1,
                snapshot={name: getattr(agent, name) for name in VERSIONED_FIELDS},
                created_by=user,
            )
            for agent in made
        )
    return made


def _threads(user: User, agents: list[Agent], shares: list[int], chance: Random) -> None:
    """A thread with each of ``agents``, and its share of messages. The rows know each other by ids taken in advance."""
    threads = [
        Thread(
            pk=pk,
            agent=agent,
            owner=user,
            title=chance.choice(TITLES),
            last_seq=share,
            version=share,
            input_tokens=INPUT_TOKENS * (share // 2),
            output_tokens=OUTPUT_TOKENS * (share // 2),
            unpriced=share > 1,
        )
        for pk, agent, share in zip(_ids(Thread, len(agents)), agents, shares, strict=True)
    ]
    run_ids = iter(_ids(Run, sum(share // 2 for share in shares)))
    message_ids = iter(_ids(ThreadMessage, sum(shares)))
    runs: list[Run] = []
    messages: list[ThreadMessage] = []
    steps: list[Step] = []
    for thread in threads:
        filled = list(_conversation(thread, run_ids, message_ids, chance))
        thread.leaf = filled[-1][0] if filled else None
        messages += [message for message, _ in filled]
        runs += [run for _, run in filled if run is not None]
        steps += [_step(run, message) for message, run in filled if run is not None]
    Thread.objects.bulk_create(threads)
    ThreadMessage.objects.bulk_create(messages)
    Run.objects.bulk_create(runs)
    Step.objects.bulk_create(steps)
    # One thread of five has a question and its answer that nobody has read yet.
    ThreadRead.objects.bulk_create(
        ThreadRead(
            thread=thread, user=user, seq=max(0, thread.last_seq - 2 * (number % 5 == 3)), seen_at=timezone.now()
        )
        for number, thread in enumerate(threads)
    )


def _ids(model: type[Model], count: int) -> list[int]:
    """Ids for new rows, which nobody else is given."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sequence = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
            cursor.execute(sequence, [table, count])
            return [number for (number,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = (cursor.fetchone() or [0])[0]
        return list(range(last + 1, last + 1 + count))


def _conversation(
    thread: Thread, run_ids: Iterator[int], message_ids: Iterator[int], chance: Random
) -> Iterator[tuple[ThreadMessage, Run | None]]:
    """Questions and answers in turn, each answer with its run."""
    answered = timezone.now()
    question: ThreadMessage | None = None
    parent_id: int | None = None
    for number in range(thread.last_seq):
        moment = answered - timedelta(hours=thread.last_seq - number)
        run = _run(thread, next(run_ids), number + 1, question, moment, answered) if question else None
        message = _message(thread, next(message_ids), number, moment, run, chance)
        message.parent_id, parent_id = parent_id, message.pk
        question = None if run else message
        yield message, run


def _schedules(user: User, agents: list[Agent], count: int, chance: Random) -> None:
    """Schedules of the agents in turn, each day at a time of its own."""
    now = timezone.now()
    minutes = [f"{minute} {hour} * * *" for hour in range(24) for minute in range(60)]
    upcoming = {text: next_times(Timing("cron", text, "UTC"), now, 1)[0] for text in minutes}
    rows = []
    for number in range(count):
        expression = chance.choice(minutes)
        rows.append(
            Schedule(
                agent=agents[number % len(agents)],
                owner=user,
                expression=expression,
                next_run_at=upcoming[expression],
            )
        )
    with transaction.atomic():
        Schedule.objects.bulk_create(rows, batch_size=BATCH)
        tell_agents([agent.pk for agent in agents])


def _run(thread: Thread, pk: int, version: int, question: ThreadMessage, moment: datetime, answered: datetime) -> Run:
    return Run(
        pk=pk,
        version=version,
        thread=thread,
        input_message=question,
        agent_id=thread.agent_id,
        owner_id=thread.owner_id,
        actor_id=thread.owner_id,
        status=RunStatus.SUCCEEDED,
        reason=Run.Reason.COMPLETED,
        trigger=Run.Trigger.CHAT,
        attempt=1,
        model="sample",
        context_window=CONTEXT_WINDOW,
        queued_at=moment,
        started_at=moment,
        first_token_at=moment,
        finished_at=min(moment + timedelta(seconds=4), answered),
        input_tokens=INPUT_TOKENS,
        output_tokens=OUTPUT_TOKENS,
    )


def _step(run: Run, answer: ThreadMessage) -> Step:
    return Step(
        run=run,
        message=answer,
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


def _message(thread: Thread, pk: int, number: int, moment: datetime, run: Run | None, chance: Random) -> ThreadMessage:
    is_question = run is None
    content = chance.choice(QUESTIONS if is_question else ANSWERS)
    return ThreadMessage(
        pk=pk,
        thread=thread,
        seq=number + 1,
        version=number + 1,
        role=ThreadMessage.Role.USER if is_question else ThreadMessage.Role.ASSISTANT,
        source=ThreadMessage.Source.USER if is_question else ThreadMessage.Source.AGENT,
        content=content,
        html="" if is_question else _rendered(content),
        author_id=thread.owner_id if is_question else None,
        run_id=run.pk if run else None,
        timestamp=moment,
        input_tokens=None if is_question else INPUT_TOKENS,
        cached_tokens=None if is_question else 0,
        output_tokens=None if is_question else OUTPUT_TOKENS,
    )


@cache
def _rendered(answer: str) -> str:
    return str(render_html(answer))
