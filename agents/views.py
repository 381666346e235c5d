"""The home page, and the pages of agents."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q, prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from accounts.zones import ZONES
from agents import home as at_home
from agents.catalog import choose
from agents.choices import choice_in_words, model_options
from agents.forms import AgentForm
from agents.models import Agent, AgentVersion
from agents.services import archive_agent, duplicate_agent, restore_agent
from agents.toolbox import TOOLS
from common.errors import ZergError
from common.redirects import see_other

PER_PAGE = 30
MOST_VERSIONS = 50
SHOWN_WITH: dict[str, tuple[str, ...]] = {"threads": (), "runs": ("agent", "thread"), "schedules": ()}
TABS = ("threads", "runs", "schedules", "setup")


@signed_in
@require_safe
def home(request: PersonRequest) -> HttpResponse:
    """All agents and what they need. Asked again by the page itself, it answers 204 while nothing has changed."""
    agents = list(at_home.agents_at_home(request.user)[: at_home.MOST_CARDS])
    only_demo = at_home.has_only_the_demo_model(request.user)
    seen = at_home.fingerprint(agents, only_demo)
    if request.htmx and request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    context = {
        "agents": agents,
        "failed": [agent for agent in agents if agent.status == Agent.Status.ERROR],
        "heading": at_home.state_in_words(agents),
        "is_full": len(agents) == at_home.MOST_CARDS,
        "only_demo": only_demo,
        "seen": seen,
    }
    return render(request, "home/_now.html" if request.htmx else "home/page.html", context)


@signed_in
@require_safe
def agent_list(request: PersonRequest) -> HttpResponse:
    """The person's agents, newest first; archived ones on their own. ``q`` searches names and descriptions."""
    query, archived = request.GET.get("q", "").strip()[:200], request.GET.get("archived") == "1"
    agents = Agent.objects.for_user(request.user).filter(archived_at__isnull=not archived)
    if query:
        agents = agents.filter(Q(name__icontains=query) | Q(description__icontains=query))
    rows = agents.order_by("-id").prefetch_related(at_home.own_schedules(request.user))
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "query": query, "archived": archived}
    return render(request, "agents/page_list.html", context)


@signed_in
@require_safe
def agent_detail(request: PersonRequest, pk: int) -> HttpResponse:
    """An agent, and one of its tabs: the person's threads, runs and schedules with it, or how it is set up."""
    agent = Agent.objects.get_for(request.user, pk)
    prefetch_related_objects([agent], at_home.own_schedules(request.user))
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else TABS[0]
    context: dict[str, Any] = {"agent": agent, "tab": tab, "tabs": TABS}
    if tab == "setup":
        context |= _setup_of(agent)
    else:
        # Threads, runs and schedules live in layers above and are reached through their reverse accessors.
        rows = getattr(agent, tab).for_user(request.user).select_related(*SHOWN_WITH[tab])
        rows = rows.order_by("-updated_at" if tab == "threads" else "-id")
        context["page"] = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "agents/page.html", context)


def _setup_of(agent: Agent) -> dict[str, Any]:
    """What the agent is made of now, and how it came to be so."""
    versions = list(agent.versions.select_related("created_by")[:MOST_VERSIONS])
    older: list[AgentVersion | None] = [*versions[1:], None]
    try:
        model = choice_in_words(choose(agent))
    except ZergError as error:
        model = error.message
    return {
        "model": model,
        "tools": [TOOLS[name] for name in agent.tools if name in TOOLS],
        "versions": [
            (version, _changes(version, before) if version.number > 1 else [])
            for version, before in zip(versions, older, strict=True)
        ],
    }


def _changes(version: AgentVersion, before: AgentVersion | None) -> list[str]:
    """The labels of the fields in which a version differs from the one before."""
    if before is None:
        return []
    # In the order of the form: PostgreSQL keeps no order of the names in a snapshot.
    return [
        str(field.label or name).lower()
        for name, field in AgentForm.base_fields.items()
        if version.fields.get(name) != before.fields.get(name)
    ]


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_agent(request: PersonRequest) -> HttpResponse:
    agent = Agent(workspace=request.user.home_workspace(), created_by=request.user)
    return _agent_form(request, agent)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit_agent(request: PersonRequest, pk: int) -> HttpResponse:
    return _agent_form(request, Agent.objects.get_for(request.user, pk))


def _agent_form(request: PersonRequest, agent: Agent) -> HttpResponse:
    pk, name = agent.pk, agent.name
    form = AgentForm(request.POST if request.method == "POST" else None, instance=agent, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                agent = form.store()
        except ZergError as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"{agent.name} is saved." if pk else f"{agent.name} is ready. Say hello.")
            return see_other("agents:detail", agent.pk)
    context = {
        "form": form,
        "agent_id": pk,
        "agent_name": name,
        "models": model_options(agent.workspace_id),
        "zones": ZONES,
    }
    return render(request, "agents/page_form.html", context, status=422 if form.is_bound else 200)


@signed_in
@require_POST
def check_field(request: PersonRequest) -> HttpResponse:
    """What is wrong with the field that was just left, for its message area; or what is known of the chosen model."""
    field = request.htmx.trigger_name or request.POST.get("field", "")
    agent_id = request.POST.get("agent_id", "")
    if agent_id.isdecimal():
        agent = Agent.objects.get_for(request.user, int(agent_id))
    else:
        agent = Agent(workspace=request.user.home_workspace())
    form = AgentForm(request.POST, instance=agent, user=request.user)
    form.is_valid()
    context: dict[str, Any] = {"problems": form.errors.get(field, []) if field in form.fields else []}
    if field == "model" and not context["problems"]:
        context["note"] = _known_of_model(agent, form.cleaned_data["model"])
    return render(request, "agents/_check.html", context)


def _known_of_model(agent: Agent, name: str) -> str:
    try:
        return choice_in_words(choose(agent, name))
    except ZergError as error:
        return error.message


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
