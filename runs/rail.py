"""What the rail beside every page says: how much waits for the person, and what works for them just now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import CharField, F, IntegerField, QuerySet, Value
from django.utils import timezone

from accounts.models import User
from common.prepared import prepared
from runs.models import ACTIVE, Notice, Run
from runs.notices import GRACE, MOST_OPEN, Inbox, waiting

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


def under_way(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Those of them that are being worked on, the newest first."""
    return runs.filter(finished_at=None, status__in=ACTIVE, agent__trial=False).order_by("-id")


def rail_of(user: User) -> Rail:
    """One query for both, however much there is."""
    rows = _rail_of(user.pk) if user.is_active else []
    open_ones = [row for row in rows if row[0] == WAITING]
    told = (pk for _, pk, _, moment, *_ in open_ones if moment <= timezone.now() - GRACE)
    return Rail(
        Inbox([state for _, _, state, *_ in open_ones], next(told, 0)),
        [Working(*row[1:]) for row in rows if row[0] == AT_WORK],
    )


@prepared
def _rail_of(user_id: Any) -> QuerySet[Any, tuple[Any, ...]]:
    # What is limited is found by its index; the two are put together after that.
    newest = under_way(Run.objects.filter(Run.visible_to(user_id))).values("pk")[:MOST_COUNTED]
    open_ones = waiting(Notice.objects.filter(Notice.visible_to(user_id))).values("pk")[:MOST_OPEN]
    runs = Run.objects.filter(pk__in=newest).order_by()
    runs_said = runs.annotate(
        kind=Value(AT_WORK, IntegerField()),
        state=F("status"),
        moment=F("started_at"),
        title=F("thread__title"),
        agent_name=F("agent__name"),
    ).values_list(*COLUMNS)
    notices = Notice.objects.filter(pk__in=open_ones).order_by()
    notices_said = notices.annotate(
        kind=Value(WAITING, IntegerField()),
        state=F("strength"),
        moment=F("created_at"),
        title=Value("", CharField()),
        agent_name=Value("", CharField()),
    ).values_list(*COLUMNS)
    return runs_said.union(notices_said, all=True).order_by("kind", "-pk")
