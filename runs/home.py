"""What the home page says: the state of things in a sentence, what needs the person, what goes on, and the agents."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Case, F, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from accounts.models import User
from agents.models import PULSE_LENGTH, Agent
from agents.schedules import give_own_schedules
from agents.welcome import FirstSteps, first_steps
from common.prepared import prepared
from runs.models import Notice, Run
from runs.notices import MOST_OPEN, Matter, matters, waiting
from runs.rail import under_way

MOST_CARDS = 48
MOST_MATTERS = 6
MOST_AT_WORK = 6
NOT_SHOWN = ("system_instructions", "tools", "config")
NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


@dataclass
class Card:
    """An agent as it is shown at home. ``cost`` is US dollars per run, of the last 30; None without a price."""

    agent: Agent
    state: str
    cost: Decimal | None


@dataclass(frozen=True)
class Home:
    """All of the page. ``working`` are the person's own runs under way, the newest first."""

    matters: list[Matter]
    working: list[Run]
    cards: list[Card]
    steps: FirstSteps
    steps_put_off: bool

    @property
    def steps_left(self) -> bool:
        """Whether the first steps are still to be shown."""
        return not (self.steps.is_done or self.steps_put_off)

    @property
    def only_demo(self) -> bool:
        """True when agents that name no model speak with the local one, or with none at all."""
        return self.steps.provider is None

    @property
    def shown(self) -> list[Matter]:
        return self.matters[:MOST_MATTERS]

    @property
    def more(self) -> int:
        """Matters that only the inbox has."""
        return max(len(self.matters) - MOST_MATTERS, 0)

    @property
    def is_full(self) -> bool:
        """Whether there may be agents without a card."""
        return len(self.cards) == MOST_CARDS

    @property
    def heading(self) -> str:
        """The state of things in words."""
        if any(matter.notice.strength == Notice.Strength.NEEDS_YOU for matter in self.matters):
            return "One thing needs you" if len(self.matters) == 1 else f"{_number(self.matters)} things need you"
        if self.matters:
            first = self.matters[0].notice.agent.name
            return f"{first} failed" if len(self.matters) == 1 else f"{_number(self.matters)} things failed"
        working = [card for card in self.cards if card.state == Agent.Status.PROCESSING]
        if working:
            first = working[0].agent.name
            return f"{first} is working" if len(working) == 1 else f"{_number(working)} agents are working"
        return "All quiet" if self.cards else "No agents yet"

    @property
    def fingerprint(self) -> str:
        """Changes whenever what the page says does, but for the passing of time."""
        told = (
            [(matter.notice.pk, matter.count) for matter in self.matters],
            [(run.pk, run.note, run.thread.title) for run in self.working],
            [_told(card) for card in self.cards],
            (self.steps.done, self.only_demo, self.steps_left),
        )
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def home_of(user: User) -> Home:
    """As many queries beside ten thousand threads as beside none."""
    found = matters(_bad_news(user.pk))
    needed = {matter.notice.agent_id for matter in found if matter.notice.strength == Notice.Strength.NEEDS_YOU}
    return Home(found, _at_work(user.pk), _cards(user, needed), first_steps(user), user.welcome_later)


@prepared
def _bad_news(user_id: Any) -> QuerySet[Notice]:
    rows = waiting(Notice.objects.filter(Notice.visible_to(user_id))).exclude(strength=Notice.Strength.FINISHED)
    return rows.select_related("agent", "thread", "run")[:MOST_OPEN]


@prepared
def _at_work(user_id: Any) -> QuerySet[Run]:
    runs = under_way(Run.objects.filter(Run.visible_to(user_id)))
    return runs.select_related("agent", "thread")[:MOST_AT_WORK]


def _cards(user: User, needed: Collection[int]) -> list[Card]:
    """The person's first agents: those that need somebody, those that failed, those at work, then by last use."""
    agents = _first_agents(user.pk, tuple(needed) or (0,))
    give_own_schedules(agents, user)
    costs = dict(_costs(tuple(agent.pk for agent in agents))) if agents else {}
    return [Card(agent, _state(agent, needed), costs.get(agent.pk)) for agent in agents]


@prepared
def _first_agents(user_id: Any, needed_ids: Any) -> QuerySet[Agent]:
    rank = Case(
        When(pk__in=needed_ids, then=Value(0)),
        When(status=Agent.Status.ERROR, then=Value(1)),
        When(status=Agent.Status.PROCESSING, then=Value(2)),
        default=Value(3),
    )
    order = (rank.asc(), F("last_run_at").desc(nulls_last=True), "-id")
    mine = Agent.objects.filter(Agent.visible_to(user_id), archived_at=None)
    return mine.defer(*NOT_SHOWN).order_by(*order)[:MOST_CARDS]


def _state(agent: Agent, needed: Collection[int]) -> str:
    return Notice.Strength.NEEDS_YOU if agent.pk in needed else agent.state


@prepared
def _costs(agent_ids: Any) -> QuerySet[Agent, tuple[int, Decimal | None]]:
    """What a run of each cost, on average of the last 30. They are found by their index, however many there are."""
    of_agent = Run.objects.filter(agent=OuterRef(OuterRef("pk"))).order_by("-id")
    first = Subquery(of_agent.values("pk")[PULSE_LENGTH - 1 : PULSE_LENGTH])
    last_ones = Run.objects.filter(agent=OuterRef("pk"), pk__gte=Coalesce(first, 0))
    mean = last_ones.order_by().values("agent").annotate(mean=Avg("cost_usd")).values("mean")
    rows = Agent.objects.filter(pk__in=agent_ids).order_by()
    return rows.annotate(mean=Subquery(mean)).values_list("pk", "mean")


TOLD = ("pk", "name", "description", "pulse", "last_run_at", "next_run_at", "schedule")


def _told(card: Card) -> list[object]:
    schedules = getattr(card.agent, "own_schedules", [])[:1]
    sentences = [schedule.sentence for schedule in schedules]
    return [card.state, card.cost, sentences, *(getattr(card.agent, name) for name in TOLD)]


def _number(things: Collection[object]) -> str:
    count = len(things)
    return NUMBERS[count] if count < len(NUMBERS) else str(count)
