"""The draft of an agent's form: kept while somebody types, and discarded."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.people import PersonRequest, signed_in
from agents.drafts import drop_draft, keep_draft
from agents.form_views import agent_in
from agents.forms import AgentForm, TypedForm
from common.drafts import moment_of
from common.errors import ZergError
from common.redirects import see_other


@signed_in
@require_POST
def keep(request: PersonRequest) -> HttpResponse:
    """Keeps what stands in the form, and says so. Where that is what is saved already, there is nothing to keep."""
    agent = agent_in(request)
    typed = TypedForm({"typed_at": request.POST.get("at")})
    if not typed.is_valid() or typed.cleaned_data["typed_at"] is None:
        raise ZergError("invalid", "A draft has the fields of the form, and the time of its last change.")
    at = moment_of(typed.cleaned_data["typed_at"])
    form = AgentForm(request.POST, instance=agent, user=request.user)
    if form.has_changed():
        keep_draft(agent, by=request.user, typed=form.typed(), at=at)
    else:
        drop_draft(agent, by=request.user, at=at)
    return render(request, "agents/_kept.html", {"kept_at": timezone.now() if form.has_changed() else None})


@signed_in
@require_POST
def discard(request: PersonRequest) -> HttpResponse:
    """What was typed before is wanted no more. What stands in the form that is open is left alone."""
    agent = agent_in(request)
    drop_draft(agent, by=request.user, at=timezone.now())
    if request.htmx:
        return render(request, "agents/_discarded.html")
    return see_other("agents:edit", agent.pk) if agent.pk else see_other("agents:new")
