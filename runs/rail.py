"""What the rail beside every page says: how much waits for the person, and what works for them just now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import CharField, F, IntegerField, QuerySet, Value
from django.utils import timezone

from accounts.models import User
from runs.models import ACTIVE, Notice, Run
from runs.notices import GRACE, MOST_OPEN, Inbox, open_of

MOST_SHOWN = 4
MOST_COUNTED = 50
COLUMNS = ("kind", "pk", "state", "moment", "thread_id", "title", "agent_name")
AT_WORK, WAITING = 0, 1


@dataclass(frozen=True)
class Working:
    """A run under way."""

    pk: int
    status: str
    started_at: datetime | None
    thread_id: int
    title: str
    agent_name: str


@dataclass(frozen=True)
class Rail:
    """``working`` is the newest first; more than 50 are not counted."""

    inbox: Inbox = field(default_factory=Inbox)
    working: Sequence[Working] = field(default_factory=tuple)

    @property
    def shown(self) -> Sequence[Working]:
        return self.working[:MOST_SHOWN]

    @property
    def more(self) -> str:
        """How many are not shown: empty for none, "46+" for those and more."""
        left = len(self.working) - MOST_SHOWN
        return f"{left}{'+' if len(self.working) == MOST_COUNTED else ''}" if left > 0 else ""


def at_work(user: User) -> QuerySet[Run]:
    """The person's own runs under way, the newest first."""
    return Run.objects.for_user(user).filter(status__in=ACTIVE, agent__trial=False).order_by("-id")


def rail_of(user: User) -> Rail:
    """One query for both, however much there is."""
    # What is limited is found by its index; the two are put together after that.
    runs = Run.objects.filter(pk__in=at_work(user).values("pk")[:MOST_COUNTED]).order_by()
    runs_said = runs.annotate(
        kind=Value(AT_WORK, IntegerField()),
        state=F("status"),
        moment=F("started_at"),
        title=F("thread__title"),
        agent_name=F("agent__name"),
    ).values_list(*COLUMNS)
    notices = Notice.objects.filter(pk__in=open_of(user).values("pk")[:MOST_OPEN]).order_by()
    notices_said = notices.annotate(
        kind=Value(WAITING, IntegerField()),
        state=F("strength"),
        moment=F("created_at"),
        title=Value("", CharField()),
        agent_name=Value("", CharField()),
    ).values_list(*COLUMNS)
    rows = list(runs_said.union(notices_said, all=True).order_by("kind", "-pk"))
    waiting = [row for row in rows if row[0] == WAITING]
    told = (pk for _, pk, _, moment, *_ in waiting if moment <= timezone.now() - GRACE)
    return Rail(
        Inbox([state for _, _, state, *_ in waiting], next(told, 0)),
        [Working(*row[1:]) for row in rows if row[0] == AT_WORK],
    )
