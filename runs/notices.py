"""What people are told who did not see it happen. Written where a run ends, in its transaction: never lost or doubled.

What needs a person is done when they have done it; that a run failed or finished, when they have seen it. Of a run that
a schedule or a webhook started, its terms say when its owner is told, and whether by e-mail or a webhook, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import DateTimeField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from common.templatetags.zerg import duration
from common.text import one_line
from runs import deliveries
from runs.models import Notice, Run, RunStatus
from runs.outcomes import Outcome, is_by_policy, settle_outcome
from threads.models import Thread

Strength = Notice.Strength
LONG = timedelta(seconds=30)
"""A run that took longer is one that people turn away from."""
GRACE = timedelta(seconds=5)
"""So long after a run's end it may still turn out that its person was looking."""
NEWS = timedelta(minutes=15)
"""What is older is no news to a browser that comes back: the inbox has it."""
TEXT_CHARS = 300
MOST_OPEN = 100
"""More are not counted, and not told apart."""
MENDED_BY_PEOPLE = {"may_have_happened", "refused_key", "no_credit", "unknown_model", "no_model"}
"""What no retry helps against: somebody has to look, or to change something, first."""
STARTED_BY_PEOPLE = {Run.Trigger.CHAT, Run.Trigger.MANUAL, Run.Trigger.SCHEDULE}
"""A program that has a run done looks for itself when it has ended."""
READ = (Strength.FAILED, Strength.FINISHED)
"""What is done once it was seen."""


def tell(run: Run, thread: Thread, status: RunStatus, code: str, error: str) -> None:
    """Tells the owner of ``thread`` how ``run`` has ended, if there is something to tell."""
    outcome = settle_outcome(run, thread, status) if is_by_policy(run) else None
    strength = _strength(run, status, code, outcome)
    if strength is None or thread.agent.trial:
        return
    is_good = strength == Strength.FINISHED
    Notice.objects.create(
        owner_id=thread.owner_id,
        agent_id=thread.agent_id,
        thread=thread,
        run=run,
        strength=strength,
        code="" if is_good else code,
        text=(error or _said(run, outcome))[:TEXT_CHARS],
        seq=thread.last_seq,
        count=1 + (_take_in(run, thread) if is_good and outcome else 0),
    )
    if outcome:
        deliveries.write(run, thread)


def _strength(run: Run, status: RunStatus, code: str, outcome: Outcome | None) -> Strength | None:
    if status == RunStatus.FAILED:
        return Strength.NEEDS_YOU if code in MENDED_BY_PEOPLE else Strength.FAILED
    if status != RunStatus.SUCCEEDED:
        return None
    if outcome is not None:
        return Strength.FINISHED if outcome.is_told else None
    if run.trigger not in STARTED_BY_PEOPLE or run.started_at is None:
        return None
    return Strength.FINISHED if timezone.now() - run.started_at > LONG else None


def _said(run: Run, outcome: Outcome | None) -> str:
    """What the agent said, where nobody watched it; else how long it took."""
    if outcome and (words := one_line(outcome.text[: 10 * TEXT_CHARS]).strip()):
        return words
    took = (timezone.now() - run.started_at) if run.started_at else None
    return f"It took {duration(took)}."


def _take_in(run: Run, thread: Thread) -> int:
    """Takes away what else waits of the same schedule or webhook, and gives how many runs that told of: a person who
    comes back finds one matter, and not three hundred. Runs of an agent end one by one, under the lock of its row."""
    same = {"run__schedule_id": run.schedule_id} if run.schedule_id else {"run__webhook_id": run.webhook_id}
    rows = Notice.objects.filter(**same, owner=thread.owner_id, done_at=None, strength=Strength.FINISHED)
    waiting = dict(rows.values_list("pk", "count"))
    Notice.objects.filter(pk__in=waiting).delete()
    return sum(waiting.values())


def tell_of_schedules(rows: Iterable[Notice]) -> None:
    """Stores notices about schedules; one that is open about the same schedule stays the only one."""
    if rows := list(rows):
        Notice.objects.bulk_create(rows, ignore_conflicts=True)


def open_in(thread_id: Any) -> QuerySet[Notice]:
    """What is not done yet in a thread."""
    return Notice.objects.filter(thread=thread_id, done_at=None)


def settle_in(thread: Thread) -> None:
    """The thread goes well again: nothing that went wrong there before waits for anybody."""
    open_in(thread.pk).exclude(strength=Strength.FINISHED).update(done_at=timezone.now())


def settle(rows: QuerySet[Notice]) -> int:
    """These are done; gives how many were not."""
    return rows.filter(done_at=None).update(done_at=timezone.now())


def read(user: User, thread_id: int, seq: int) -> None:
    """The person has seen the thread up to the message ``seq``. Who saw a run finish needs no record of it either."""
    seen = Notice.objects.filter(thread=thread_id, owner=user, done_at=None, strength__in=READ, seq__lte=seq)
    just_now = seen.filter(strength=Strength.FINISHED, created_at__gt=timezone.now() - GRACE)
    # Nearly always there is none, and looking takes no lock.
    if seen.exists():
        just_now.delete()
        settle(seen)


def open_of(user: User) -> QuerySet[Notice]:
    """What waits for the person, newest first. What finished just now waits a moment: they may be looking."""
    return waiting(Notice.objects.for_user(user))


def waiting(notices: QuerySet[Notice]) -> QuerySet[Notice]:
    """Those of them that wait for their person; on the database's clock."""
    now = ExpressionWrapper(Now() - GRACE, output_field=DateTimeField())
    # One that stands for others has waited before.
    just_now = Q(strength=Strength.FINISHED, count=1, created_at__gt=now)
    return notices.filter(~just_now, done_at=None).order_by("-id")


@dataclass
class Matter:
    """Notices that are alike, the newest for all of them: one thing to do."""

    notice: Notice
    count: int = 1


def matters(rows: Iterable[Notice]) -> list[Matter]:
    """What needs the person, then what failed, each newest first."""
    found: dict[tuple[object, ...], Matter] = {}
    for row in sorted(rows, key=lambda row: row.strength != Strength.NEEDS_YOU):
        if row.strength == Strength.FINISHED:
            continue
        key = tuple(_likeness(row).items())
        if key in found:
            found[key].count += 1
        else:
            found[key] = Matter(row)
    return list(found.values())


def _likeness(notice: Notice) -> dict[str, object]:
    """What notices that are one matter have in common: what mends the one mends the others."""
    if notice.schedule_id:
        return {"schedule_id": notice.schedule_id}
    if notice.code == "may_have_happened":
        return {"pk": notice.pk}
    where = "agent_id" if notice.strength == Strength.NEEDS_YOU else "thread_id"
    return {"strength": notice.strength, "code": notice.code, where: getattr(notice, where)}


def alike(notice: Notice) -> QuerySet[Notice]:
    """The open notices that are one matter with this one, itself among them."""
    return Notice.objects.filter(owner=notice.owner_id, done_at=None).filter(**_likeness(notice))


@dataclass(frozen=True)
class Inbox:
    """How much waits for a person, as every page shows it."""

    strengths: Sequence[str] = field(default_factory=tuple)
    newest: int = 0
    """The id of the newest of which browsers may have been told."""

    @property
    def count(self) -> str:
        """Empty for nothing, "99+" for more."""
        open_ones = len(self.strengths)
        return f"{MOST_OPEN - 1}+" if open_ones >= MOST_OPEN else str(open_ones or "")

    @property
    def mark(self) -> str:
        """What a page's title begins with."""
        if Strength.NEEDS_YOU in self.strengths:
            return "◆ Needs you · "
        return f"({self.count}) " if self.count else ""


def news_for(user: User, after: int, strengths: Collection[str]) -> QuerySet[Notice]:
    """What browsers tell: what waits, came after the notice ``after``, and was not seen within a moment."""
    now = timezone.now()
    rows = open_of(user).filter(pk__gt=after, strength__in=strengths)
    return rows.filter(created_at__lte=now - GRACE, created_at__gt=now - NEWS)
