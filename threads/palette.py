"""What the palette offers: places to go, things that were said, things to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F
from django.urls import reverse

from accounts.models import User
from agents.models import Agent
from threads.models import Thread
from threads.search import Part, search

MOST_AGENTS = 5
MOST_THREADS = 6
MOST_HITS = 5
SHORTEST = 2
"""Characters: the first of a word says nothing yet of which messages are meant."""
PAGES = {
    "Home": "home",
    "Agents": "agents:list",
    "Threads": "threads:list",
    "Runs": "runs:list",
    "Schedules": "schedules:list",
    "Search": "threads:search",
    "Models": "settings:models",
    "Profile": "settings:profile",
    "API tokens": "settings:tokens",
    "Keys": "threads:keys",
}
THEMES = {"Light theme": "light", "Dark theme": "dark", "Theme as the system": "system"}


@dataclass(frozen=True)
class Offer:
    """One line. A deed is done by a POST to ``url``, with ``value`` as the value of ``name``; else it is a link."""

    label: str
    url: str
    note: str = ""
    parts: tuple[Part, ...] = ()
    is_deed: bool = False
    name: str = ""
    value: str = ""


@dataclass(frozen=True)
class Group:
    """Offers of one kind."""

    heading: str
    offers: list[Offer]


def offers(user: User, query: str) -> list[Group]:
    """What there is for ``query``; for an empty one, where the person was last, and the pages."""
    words = query.casefold().split()
    agents = _agents(user, words)
    groups = [
        Group("Threads", _threads(user, query)),
        Group("Agents", _named(words, map(_agent, agents))[:MOST_AGENTS]),
        Group("Pages", _named(words, (Offer(label, reverse(name)) for label, name in PAGES.items()))),
        Group("Do", _deeds(words, agents)),
        Group("Messages", _messages(user, query)),
    ]
    return [group for group in groups if group.offers]


DEEDS = ("new", "thread", "with", "run", "now")
"""The words of deeds: what else is typed is an agent's name."""


def _agents(user: User, words: list[str]) -> list[Agent]:
    """The agents that deeds may be meant for: "run scout" is Scout's."""
    agents = Agent.objects.for_user(user).filter(archived_at=None).only("name")
    for word in words:
        if not any(deed.startswith(word) for deed in DEEDS):
            agents = agents.filter(name__icontains=word)
    return list(agents.order_by(F("last_run_at").desc(nulls_last=True), "-pk")[: 2 * MOST_AGENTS])


def _agent(agent: Agent) -> Offer:
    return Offer(agent.name, reverse("agents:detail", args=[agent.pk]))


def _threads(user: User, query: str) -> list[Offer]:
    threads = Thread.listed(user).filter(archived_at=None)
    if query:
        threads = threads.filter(title__icontains=query)
    shown = threads.select_related("agent").only("title", "agent__name").order_by("-updated_at", "-pk")
    return [
        Offer(thread.title or "New thread", reverse("threads:detail", args=[thread.pk]), thread.agent.name)
        for thread in shown[:MOST_THREADS]
    ]


def _deeds(words: list[str], agents: list[Agent]) -> list[Offer]:
    offered = [Offer("New agent", reverse("agents:new"))]
    if words:
        for agent in agents:
            new, run = reverse("threads:new", args=[agent.pk]), reverse("runs:run_agent_now", args=[agent.pk])
            offered += [
                Offer(f"New thread with {agent.name}", new, is_deed=True),
                Offer(f"Run {agent.name} now", run, is_deed=True),
            ]
    theme = reverse("settings:theme")
    offered += [Offer(label, theme, is_deed=True, name="theme", value=value) for label, value in THEMES.items()]
    return _named(words, offered)[: 2 * MOST_AGENTS]


def _named(words: list[str], all_of_them: Iterable[Offer]) -> list[Offer]:
    """Those whose labels hold all of ``words``."""
    return [offer for offer in all_of_them if all(word in offer.label.casefold() for word in words)]


def _messages(user: User, query: str) -> list[Offer]:
    if len(query) < SHORTEST:
        return []
    return [
        Offer(
            hit.message.thread.title or "New thread",
            f"{reverse('threads:detail', args=[hit.message.thread_id])}?around={hit.article_id}#m-{hit.article_id}",
            hit.message.thread.agent.name,
            tuple(hit.parts),
        )
        for hit in search(user, query, count=MOST_HITS).hits
    ]
