"""Settings, Models: the providers that agents speak with, their keys, and whether they work."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from agents.catalog import choices_of, providers_for
from agents.choices import choice_in_words, default_in_words
from agents.key_views import answer_of, back, on_own_provider, tell
from agents.models import Agent, LanguageModel, Provider
from agents.provider_forms import PRESETS, ProviderForm
from agents.services import may_edit, prefer
from common.errors import ZergError
from common.redirects import see_other

MOST_NAMES = 1000


@signed_in
@require_safe
def provider_list(request: PersonRequest) -> HttpResponse:
    """Every provider that serves the person's workspace, and which is the default."""
    workspace = request.user.home_workspace()
    in_use = providers_for(workspace.pk)
    served = agents_by_provider(workspace.pk)
    providers = visible(request).annotate(model_count=Count("language_models", filter=Q(language_models__enabled=True)))
    default_id = in_use[0].pk if in_use else None
    rows = [
        {
            "provider": provider,
            "is_default": provider.pk == default_id,
            "is_in_use": provider in in_use,
            "agents": served.get(provider.pk, []),
            "may_edit": may_edit(provider, request.user),
        }
        for provider in sorted(providers, key=lambda p: (p.pk != default_id, p not in in_use, p.pk))
    ]
    only_demo = not in_use or in_use[0].kind == Provider.Kind.LOCAL
    context = {
        "rows": rows,
        "presets": PRESETS,
        "default": default_in_words(workspace.pk),
        "only_demo": only_demo,
        "focus": asked if (asked := request.GET.get("focus", "")).isdecimal() else "",
        "tab": "models",
    }
    return render(request, "settings/models.html", context)


def visible(request: PersonRequest) -> QuerySet[Provider]:
    """The providers of the person's own workspace, and those of the whole installation."""
    mine = Q(workspace=None) | Q(workspace=request.user.home_workspace())
    return Provider.objects.for_user(request.user).filter(mine)


def agents_by_provider(workspace_id: int) -> dict[int, list[Agent]]:
    """Which agents speak with which provider, by the provider's id."""
    agents = Agent.objects.filter(workspace=workspace_id, archived_at=None, trial=False)
    agents = agents.only("name", "model", "workspace_id")
    served: dict[int, list[Agent]] = {}
    choices = choices_of(agents, workspace_id)
    for agent in agents:
        if agent.pk in choices:
            served.setdefault(choices[agent.pk].provider.pk, []).append(agent)
    return served


@signed_in
@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
def new_provider(request: PersonRequest) -> HttpResponse:
    preset = PRESETS.get(request.GET.get("preset", ""), PRESETS["other"])
    provider = Provider(workspace=request.user.home_workspace(), name=preset.name, base_url=preset.base_url)
    return _provider_form(request, provider, preset.key_url)


@on_own_provider
@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
def edit_provider(request: PersonRequest, provider: Provider) -> HttpResponse:
    return _provider_form(request, provider)


def _provider_form(request: PersonRequest, provider: Provider, key_url: str = "") -> HttpResponse:
    """Saves, and asks the provider at once: a wrong key is said where it was typed."""
    name = provider.name
    form = ProviderForm(request.POST if request.method == "POST" else None, instance=provider, author=request.user)
    if form.is_bound and form.is_valid():
        provider = form.store()
        tell(request, provider, *answer_of(provider))
        return back(request, provider)
    known = LanguageModel.objects.filter(provider=provider)[:MOST_NAMES] if provider.pk else []
    context = {
        "form": form,
        "provider": provider,
        "name": name,
        "models": known,
        "key_url": key_url,
        "back": request.POST.get("back", ""),
        "tab": "models",
    }
    return render(request, "settings/provider_form.html", context, status=422 if form.is_bound else 200)


@on_own_provider
@require_POST
def make_default(request: PersonRequest, provider: Provider) -> HttpResponse:
    prefer(provider)
    messages.success(request, f"{provider.name} serves all agents that name no model.")
    return see_other("settings:models")


@on_own_provider
@require_POST
def switch(request: PersonRequest, provider: Provider) -> HttpResponse:
    """Turns the provider on or off, as the button said (``enabled`` 1 or 0)."""
    provider.enabled = request.POST.get("enabled") == "1"
    provider.save(update_fields=["enabled"])
    messages.success(request, f"{provider.name} is {'on' if provider.enabled else 'off'}.")
    return see_other("settings:models")


@on_own_provider
@require_http_methods(["GET", "HEAD", "POST"])
def remove_provider(request: PersonRequest, provider: Provider) -> HttpResponse:
    """Says which agents it serves, and removes it when that is confirmed. What is built in can only be turned off."""
    if provider.kind != Provider.Kind.CUSTOM:
        raise ZergError("built_in", f"{provider.name} is part of this installation. Turn it off instead.")
    if request.method == "POST":
        provider.delete()
        messages.success(request, f"{provider.name} and its key are removed.")
        return see_other("settings:models")
    workspace_id = request.user.home_workspace().pk
    affected = agents_by_provider(workspace_id).get(provider.pk, [])
    after = choices_of(affected, workspace_id, without=provider)
    context = {
        "provider": provider,
        "stopping": [agent for agent in affected if agent.pk not in after],
        "moving": [(agent, choice_in_words(after[agent.pk])) for agent in affected if agent.pk in after],
        "tab": "models",
    }
    return render(request, "settings/provider_remove.html", context)
