"""The form of an agent: new or present, begun with a starter, checked field by field."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from accounts.zones import ZONES
from agents.catalog import choose
from agents.choices import choice_in_words, model_options
from agents.drafts import draft_of, drop_draft, initial_of, keep_draft
from agents.forms import AgentForm, TypedForm
from agents.models import Agent, AgentDraft
from agents.starters import STARTERS
from common.drafts import milliseconds_of, moment_of
from common.errors import ZergError, not_found
from common.redirects import see_other


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_agent(request: PersonRequest) -> HttpResponse:
    return _agent_form(request, Agent(workspace=request.user.home_workspace(), created_by=request.user))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit_agent(request: PersonRequest, pk: int) -> HttpResponse:
    return _agent_form(request, Agent.objects.get_for(request.user, pk))


def _agent_form(request: PersonRequest, agent: Agent) -> HttpResponse:
    """Saves what was posted, or shows the form; ``?starter=`` fills it in, ``?draft=`` with what was not saved."""
    pk, name, at = agent.pk, agent.name, _typed_at(request)
    stored = Agent(pk=pk, version_number=agent.version_number)
    draft = draft_of(agent, by=request.user) if request.method != "POST" else None
    starter = STARTERS.get(request.GET.get("starter", ""))
    initial = initial_of(draft) if draft and "draft" in request.GET else starter.fields(name) if starter else None
    data = request.POST if request.method == "POST" else None
    form = AgentForm(data, instance=agent, user=request.user, initial=initial)
    if data is not None and form.is_valid():
        try:
            with transaction.atomic():
                agent = form.store()
        except ZergError as error:
            form.add_refusal(error)
        else:
            drop_draft(stored, by=request.user, at=at)
            messages.success(request, f"{agent.name} is saved." if pk else f"{agent.name} is ready. Say hello.")
            return see_other("agents:detail", agent.pk)
    if data is not None:
        with suppress(ZergError):  # what is too long to be kept stands on the page all the same
            keep_draft(stored, by=request.user, typed=form.typed(), at=at)
    return form_page(request, form, pk, name, draft)


def _typed_at(request: PersonRequest) -> datetime:
    typed = TypedForm(request.POST)
    return moment_of(typed.cleaned_data["typed_at"] if typed.is_valid() else None)


def form_page(
    request: PersonRequest, form: AgentForm, pk: int | None, name: str, draft: AgentDraft | None = None
) -> HttpResponse:
    """The page of the form: of the stored agent ``name`` with the id ``pk``, or of a new one. 422 for a posted one.

    ``draft`` is offered, or stands in the form already.
    """
    agent, is_restored = form.instance, draft is not None and "draft" in request.GET
    context = {
        "form": form,
        "agent_id": pk,
        "agent_name": name,
        "version_number": agent.version_number,
        "models": model_options(agent.workspace_id),
        "model_note": known_of_model(agent, str(form["model"].value() or "").strip()),
        "steps": form["max_steps"].value(),
        "zones": ZONES,
        "starters": STARTERS,
        "is_filled": request.GET.get("starter") in STARTERS and not form.is_bound and not is_restored,
        "draft": draft,
        "draft_at": milliseconds_of(draft.changed_at) if draft else 0,
        "is_restored": is_restored,
    }
    return render(request, "agents/page_form.html", context, status=422 if form.is_bound else 200)


@signed_in
@require_safe
def starter(request: PersonRequest, key: str) -> HttpResponse:
    """The fields that a starter fills in, for the form that is open. A name that was typed stays."""
    chosen = STARTERS.get(key)
    if chosen is None:
        raise not_found("Starter")
    agent = Agent(workspace=request.user.home_workspace())
    form = AgentForm(instance=agent, user=request.user, initial=chosen.fields(request.GET.get("name", "")[:120]))
    return render(request, "agents/_starter.html", {"form": form, "is_filled": True})


@signed_in
@require_POST
def check_field(request: PersonRequest) -> HttpResponse:
    """What is wrong with the field that was just left, for its message area; or what is known of the chosen model."""
    field = request.htmx.trigger_name or request.POST.get("field", "")
    agent = agent_in(request)
    form = AgentForm(request.POST, instance=agent, user=request.user)
    form.is_valid()
    context: dict[str, Any] = {"problems": form.errors.get(field, []) if field in form.fields else []}
    if field == "model" and not context["problems"]:
        context["note"] = known_of_model(agent, form.cleaned_data["model"])
    return render(request, "agents/_check.html", context)


def agent_in(request: PersonRequest) -> Agent:
    """The agent whose form sends something: a stored one, or a new one."""
    agent_id = request.POST.get("agent_id", "")
    if agent_id.isdecimal():
        return Agent.objects.get_for(request.user, int(agent_id))
    return Agent(workspace=request.user.home_workspace())


def known_of_model(agent: Agent, name: str) -> str:
    """What a model costs and can, in words, or why there is none of this name."""
    try:
        return choice_in_words(choose(agent, name))
    except ZergError as error:
        return error.message
