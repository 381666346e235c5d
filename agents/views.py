"""The pages of agents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.people import PersonRequest, signed_in
from agents.catalog import SMALLEST_AMOUNT, choose
from agents.choices import choice_in_words
from agents.models import Agent
from agents.schedules import give_own_schedules
from agents.services import archive_agent, duplicate_agent, restore_agent
from agents.toolbox import TOOLS
from agents.versions import entries
from common.errors import ZergError
from common.paging import stretch
from common.redirects import see_other

PER_PAGE = 30
MOST_VERSIONS = 10
SHOWN_WITH: dict[str, tuple[str, ...]] = {"threads": (), "runs": ("agent", "thread"), "schedules": ()}
TABS = ("threads", "runs", "schedules", "setup")


@signed_in
@require_safe
def agent_list(request: PersonRequest) -> HttpResponse:
    """The person's agents, newest first; archived ones on their own. ``q`` searches names and descriptions."""
    query, archived = request.GET.get("q", "").strip()[:200], request.GET.get("archived") == "1"
    agents = Agent.objects.for_user(request.user).filter(archived_at__isnull=not archived)
    if query:
        agents = agents.filter(Q(name__icontains=query) | Q(description__icontains=query))
    page = stretch(agents, request.GET, PER_PAGE)
    give_own_schedules(page.object_list, request.user)
    context = {"page": page, "query": query, "archived": archived}
    return render(request, "agents/page_list.html", context)


@signed_in
@require_safe
def agent_detail(request: PersonRequest, pk: int) -> HttpResponse:
    """An agent, and one of its tabs: the person's threads, runs and schedules with it, or how it is set up."""
    agent = Agent.objects.get_for(request.user, pk)
    give_own_schedules([agent], request.user)
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else TABS[0]
    context: dict[str, Any] = {"agent": agent, "tab": tab, "tabs": TABS, "spent": _spent(agent, request.user)}
    if tab == "setup":
        context |= _setup_of(agent)
    else:
        # Threads, runs and schedules live in layers above and are reached through their reverse accessors.
        rows = getattr(agent, tab).for_user(request.user).select_related(*SHOWN_WITH[tab])
        context["page"] = stretch(rows, request.GET, PER_PAGE, by="updated_at" if tab == "threads" else "")
    return render(request, "agents/page.html", context)


def _spent(agent: Agent, user: User) -> dict[str, Any]:
    """What the person's threads with the agent took: tokens, and US dollars of the calls that had a price."""
    threads = agent.threads.for_user(user)
    tokens = {name: Coalesce(Sum(name), 0) for name in ("input_tokens", "cached_tokens", "output_tokens")}
    of_some = {name: Count("pk", filter=Q(**{name: True})) for name in ("unpriced", "usage_estimated")}
    spent: dict[str, Any] = threads.aggregate(**tokens, **of_some, cost_usd=Coalesce(Sum("cost_usd"), Decimal(0)))
    # SQLite adds in binary fractions.
    return {**spent, "cost_usd": spent["cost_usd"].quantize(SMALLEST_AMOUNT)}


def _setup_of(agent: Agent) -> dict[str, Any]:
    """What the agent is made of now, and how it came to be so."""
    versions = list(agent.versions.select_related("created_by")[:MOST_VERSIONS])
    try:
        model = choice_in_words(choose(agent))
    except ZergError as error:
        model = error.message
    return {
        "model": model,
        "tools": [TOOLS[name] for name in agent.tools if name in TOOLS],
        "entries": entries(versions),
    }


@signed_in
@require_POST
def duplicate(request: PersonRequest, pk: int) -> HttpResponse:
    copy = duplicate_agent(Agent.objects.get_for(request.user, pk), author=request.user)
    messages.success(request, f"{copy.name} is ready. It has no schedule yet.")
    return see_other("agents:detail", copy.pk)


@signed_in
@require_POST
def archive(request: PersonRequest, pk: int) -> HttpResponse:
    agent = Agent.objects.get_for(request.user, pk)
    archive_agent(agent)
    messages.success(request, f"{agent.name} is archived. Its threads stay, and it can be brought back.")
    return see_other("agents:detail", agent.pk)


@signed_in
@require_POST
def restore(request: PersonRequest, pk: int) -> HttpResponse:
    agent = Agent.objects.get_for(request.user, pk)
    restore_agent(agent)
    messages.success(request, f"{agent.name} is back.")
    return see_other("agents:detail", agent.pk)
