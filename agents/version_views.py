"""The pages of an agent's versions: all of them, one, two side by side, and going back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from agents import versions
from agents.models import Agent, AgentVersion
from common.errors import not_found
from common.paging import numbered
from common.redirects import see_other

PER_PAGE = 50
MOST_CHOICES = 200


@signed_in
@require_safe
def version_list(request: PersonRequest, pk: int) -> HttpResponse:
    """Who saved what, newest first."""
    agent = Agent.objects.get_for(request.user, pk)
    page = numbered(agent.versions.select_related("created_by"), request.GET, PER_PAGE)
    context = {"agent": agent, "page": page, "entries": versions.entries(page.object_list)}
    return render(request, "agents/versions.html", context)


@signed_in
@require_safe
def version(request: PersonRequest, pk: int, number: int) -> HttpResponse:
    """A version, and how it differs from the one before it, or from the one that ``?with=`` names."""
    agent = Agent.objects.get_for(request.user, pk)
    shown = _version(agent, number)
    asked = request.GET.get("with", "")
    wanted = int(asked) if asked.isdecimal() and len(asked) < 9 else number - 1
    other = agent.versions.filter(number=wanted).select_related("created_by").first()
    context = {
        "agent": agent,
        "version": shown,
        "other": other,
        "changes": versions.changes(other, shown) if other else [],
        "made_of": versions.made_of(shown),
        "numbers": agent.versions.exclude(pk=shown.pk).values_list("number", flat=True)[:MOST_CHOICES],
        "is_current": number == agent.version_number,
    }
    return render(request, "agents/version.html", context)


@signed_in
@require_POST
def restore_version(request: PersonRequest, pk: int, number: int) -> HttpResponse:
    """Makes the agent what it was in a version; what it is now stays among its versions."""
    agent = Agent.objects.get_for(request.user, pk)
    before = agent.version_number
    agent = versions.go_back(agent, _version(agent, number), author=request.user)
    if agent.version_number == before:
        messages.info(request, f"{agent.name} is already as it was in version {number}.")
    else:
        words = f"{agent.name} is as it was in version {number}; that is version {agent.version_number} now."
        messages.success(request, words)
    return see_other("agents:versions", agent.pk)


def _version(agent: Agent, number: int) -> AgentVersion:
    found = agent.versions.select_related("created_by").filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise not_found("Version")
    return found
