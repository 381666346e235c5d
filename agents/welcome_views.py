"""The checklist of the first steps."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from agents.models import Provider
from agents.provider_forms import PRESETS, ProviderForm
from agents.services import may_edit
from agents.starters import STARTERS
from agents.welcome import HELLO, first_steps
from common.redirects import see_other


@signed_in
@require_safe
def welcome(request: PersonRequest) -> HttpResponse:
    """What is done and what is next; ``?preset=`` opens the form of a well-known provider."""
    steps = first_steps(request.user)
    preset = PRESETS.get(request.GET.get("preset", ""))
    context = {"steps": steps, "presets": PRESETS, "starters": STARTERS, "hello": HELLO}
    if preset:
        provider = Provider(workspace=request.user.home_workspace(), name=preset.name, base_url=preset.base_url)
        form = ProviderForm(instance=provider, author=request.user)
        form.fields["key" if preset.name else "name"].widget.attrs["autofocus"] = True
        context |= {"preset": preset, "form": form}
    if steps.provider:
        can_fix = steps.provider.kind == Provider.Kind.CUSTOM and may_edit(steps.provider, request.user)
        context["can_fix"] = can_fix and bool(steps.provider.last_error)
    return render(request, "welcome/page.html", context)


@signed_in
@require_POST
def later(request: PersonRequest) -> HttpResponse:
    """The card leaves the home page; the list stays where it is."""
    request.user.welcome_later = True
    request.user.save(update_fields=["welcome_later"])
    return see_other("home")
