"""The page that lists threads, and what is done with several of them at once."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import F
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from common.errors import ZergError
from common.redirects import see_other
from common.toasts import done
from threads.arranging import DEEDS
from threads.listing import STATES, Wanted, listing
from threads.models import Thread
from threads.services import delete_thread

MOST_AGENTS = 30
"""To filter by: those that ran last. The threads of any other are on its own page."""
MOST_AT_ONCE = 200
BACK = {"archive": "restore", "restore": "archive", "pin": "unpin", "unpin": "pin"}


@signed_in
@require_safe
def thread_list(request: PersonRequest) -> HttpResponse:
    """The person's threads. Asked again by the page itself, it answers 204 while nothing has changed."""
    asked = request.GET.copy()
    seen = asked.pop("seen", [""])[-1]
    wanted = _wanted(asked)
    found = listing(request.user, wanted, asked)
    if request.htmx and seen == found.seen:
        return HttpResponse(status=204)
    agents = Agent.objects.for_user(request.user).only("name").order_by(F("last_run_at").desc(nulls_last=True), "-pk")
    context = {
        "listing": found,
        "page": found.page,
        "wanted": wanted,
        "states": STATES,
        "agents": sorted(agents[:MOST_AGENTS], key=lambda agent: agent.name.casefold()),
        "asked": asked,
    }
    return render(request, "threads/_list.html" if request.htmx else "threads/page_list.html", context)


def _wanted(asked: QueryDict) -> Wanted:
    state, agent = asked.get("state", ""), asked.get("agent", "")
    return Wanted(
        state=state if state in STATES else "",
        agent_id=int(agent) if agent.isdecimal() and len(agent) < 19 else None,
        query=asked.get("q", "").strip()[:200],
    )


@signed_in
@require_POST
def arrange(request: PersonRequest) -> HttpResponse:
    """Does one of DEEDS, or deletes, with the threads that are named: by their boxes, by a row's own button, or in the
    address (that of an undo). ``open`` is the thread that is being read: it stays open, unless it is archived."""
    deed, ids = _named(request)
    if not ids:
        messages.warning(request, "Choose threads first.")
    elif deed == "delete":
        return _delete(request, ids)
    elif deed in DEEDS:
        do, words = DEEDS[deed]
        count = do(request.user, ids)
        again = QueryDict(mutable=True)
        again["do"], again["open"] = BACK.get(deed, ""), request.POST.get("open", "")
        again.setlist("thread", [str(pk) for pk in ids])
        undo = f"{reverse('threads:arrange')}?{again.urlencode()}" if again["do"] else ""
        done(request, f"{_count(count)} {words}.", undo=undo)
    else:
        raise ZergError("invalid", "Choose one of the buttons.")
    opened = request.POST.get("open") or request.GET.get("open", "")
    if opened.isdecimal() and len(opened) < 19 and deed != "archive":
        return see_other("threads:detail", int(opened))
    return _back(request)


def _named(request: PersonRequest) -> tuple[str, list[int]]:
    """What is to be done, and with which threads."""
    if one := request.POST.get("one"):
        deed, _, pk = one.partition(" ")
        texts = [pk]
    else:
        deed = request.POST.get("do") or request.GET.get("do", "")
        texts = [*request.POST.getlist("thread"), *request.GET.getlist("thread")]
    return deed, [int(text) for text in texts[:MOST_AT_ONCE] if text.isdecimal() and len(text) < 19]


def _count(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _delete(request: PersonRequest, ids: list[int]) -> HttpResponse:
    """Asks once more, then deletes those that are at rest."""
    threads = list(Thread.objects.for_user(request.user).filter(pk__in=ids).select_related("agent"))
    if not request.POST.get("sure"):
        context = {"threads": threads, "back": request.POST.get("back", "")}
        return render(request, "threads/page_delete.html", context)
    gone = 0
    for thread in threads:
        try:
            delete_thread(thread)
            gone += 1
        except ZergError as error:
            messages.error(request, f"{thread}: {error.message}")
    if gone:
        done(request, f"{_count(gone)} deleted.")
    return _back(request)


def _back(request: PersonRequest) -> HttpResponseRedirect:
    """To the list as it was, and to the row that the keyboard is to go on from."""
    query, at = QueryDict(request.POST.get("back", "")).urlencode(), request.POST.get("at", "")
    anchor = f"#thr-{at}" if at.isdecimal() else ""
    return HttpResponseRedirect(reverse("threads:list") + (f"?{query}" if query else "") + anchor, status=303)
