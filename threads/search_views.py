"""Finding: the search page, and the palette, which answers the same question in a few lines while it is typed."""

from __future__ import annotations

from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from threads import palette
from threads.models import Thread
from threads.search import LONGEST_QUERY, MOST, search

PER_PAGE = 20
MOST_PAGES = MOST // PER_PAGE
BESIDE = 6
"""Agents and threads that are found by their names, above the messages."""


@signed_in
@require_safe
def search_page(request: PersonRequest) -> HttpResponse:
    """Messages that hold all words of ``q``, the best first; before them agents and threads that are called so."""
    query = request.GET.get("q", "").strip()[:LONGEST_QUERY]
    number = request.GET.get("page", "")
    page = min(max(1, int(number)), MOST_PAGES) if number.isdecimal() and len(number) < 6 else 1
    found = search(request.user, query, start=(page - 1) * PER_PAGE, count=PER_PAGE)
    context = {
        "section": "search",
        "query": query,
        "found": found,
        "most": MOST,
        "page_number": page,
        "has_more": found.total > page * PER_PAGE,
    }
    if query and page == 1:
        context |= {"agents": _agents(request, query), "threads": _threads(request, query)}
    return render(request, "search/page.html", context)


def _agents(request: PersonRequest, query: str) -> list[Agent]:
    named = Agent.objects.for_user(request.user).filter(name__icontains=query, archived_at=None)
    return list(named.only("name", "description").order_by(F("last_run_at").desc(nulls_last=True), "-pk")[:BESIDE])


def _threads(request: PersonRequest, query: str) -> list[Thread]:
    named = Thread.listed(request.user).filter(title__icontains=query)
    return list(named.select_related("agent").only("title", "updated_at", "agent__name")[:BESIDE])


@signed_in
@require_safe
def palette_hits(request: PersonRequest) -> HttpResponse:
    """What the palette offers for ``q``: a part of a page. A question mark asks for the keys."""
    query = request.GET.get("q", "").strip()[:LONGEST_QUERY]
    if query == "?":
        return render(request, "palette/_keys.html")
    groups = palette.offers(request.user, query)
    return render(request, "palette/_hits.html", {"groups": groups, "query": query})


@signed_in
@require_safe
def keys(request: PersonRequest) -> HttpResponse:
    """What the keys do."""
    return render(request, "palette/page_keys.html", {"section": "search"})
