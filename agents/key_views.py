"""The key of a provider: whether it works, saved or not; another in its place; and where to put it right."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from agents.catalog import providers_for
from agents.models import Provider
from agents.provider_forms import KeyForm, ProviderForm
from agents.services import ask_provider, check_provider, may_edit, save_provider
from common.errors import ZergError
from common.redirects import see_other
from engine import Limits

QUICK = Limits(connect=2.5, first_byte=4.5)
"""A person waits for the answer."""


def on_own_provider(
    view: Callable[[PersonRequest, Provider], HttpResponse],
) -> Callable[[HttpRequest, int], HttpResponseBase]:
    """Fetches the provider; one of the whole installation can be changed by administrators only."""

    @signed_in
    @wraps(view)
    def guarded(request: PersonRequest, pk: int) -> HttpResponse:
        provider = Provider.objects.get_for(request.user, pk)
        if not may_edit(provider, request.user):
            raise ZergError("forbidden", f"{provider.name} serves everybody here: only an administrator can change it.")
        return view(request, provider)

    return guarded


@signed_in
@require_POST
def test_provider(request: PersonRequest, pk: int) -> HttpResponse:
    """Asks the provider for its models, which costs nothing. Everybody whom it serves may ask."""
    provider = Provider.objects.get_for(request.user, pk)
    began = time.monotonic()
    names, problem = answer_of(provider)
    if request.htmx:
        return _result(request, names, problem, time.monotonic() - began)
    tell(request, provider, names, problem)
    return back(request, provider)


@signed_in
@sensitive_post_parameters("key")
@require_POST
def try_provider(request: PersonRequest) -> HttpResponse:
    """Whether a provider works as it stands in its form, of which nothing is saved. ``provider`` names a stored one."""
    asked = request.POST.get("provider", "")
    if asked.isdecimal():
        provider = Provider.objects.get_for(request.user, int(asked))
        if not may_edit(provider, request.user):
            raise ZergError("forbidden", f"{provider.name} serves everybody here: only an administrator can change it.")
    else:
        provider = Provider(workspace=request.user.home_workspace())
    form = ProviderForm(request.POST, instance=provider, author=request.user)
    if not form.is_valid():
        problem = " ".join(f"{form[name].label}: {' '.join(map(str, words))}" for name, words in form.errors.items())
        return _result(request, [], problem, 0)
    began = time.monotonic()
    try:
        names, problem = ask_provider(form.unsaved(), limits=QUICK)
    except ZergError as error:
        names, problem = [], error.message
    return _result(request, names, problem, time.monotonic() - began)


@on_own_provider
@sensitive_post_parameters("key")
@require_POST
def replace_key(request: PersonRequest, provider: Provider) -> HttpResponse:
    """Puts a new key in place of the old one, and asks the provider at once."""
    if provider.kind != Provider.Kind.CUSTOM:
        raise ZergError("built_in", f"{provider.name} has no key that is kept here.")
    form = KeyForm(request.POST)
    if form.is_valid():
        save_provider(provider, author=request.user, key=form.cleaned_data["key"])
        tell(request, provider, *answer_of(provider))
        return back(request, provider)
    messages.error(request, " ".join(map(str, form.errors["key"])))
    return back(request, provider, focus=True)


@signed_in
@require_safe
def fix_key(request: PersonRequest) -> HttpResponse:
    """Leads to the key that does not work, with the cursor in its field; where all do, to the list of them."""
    in_use = providers_for(request.user.home_workspace().pk)
    broken = next((provider for provider in in_use if provider.last_error and may_edit(provider, request.user)), None)
    return redirect(key_place(broken) if broken else reverse("settings:models"))


def key_place(provider: Provider) -> str:
    """The address of the list with the cursor in the provider's key. (A fragment would keep browsers from it.)"""
    return f"{reverse('settings:models')}?focus={provider.pk}"


def answer_of(provider: Provider) -> tuple[list[str], str]:
    """What the provider offers, or why it does not answer; within five seconds."""
    try:
        return check_provider(provider, limits=QUICK)
    except ZergError as error:  # the stored key cannot be decrypted
        return [], error.message


def tell(request: PersonRequest, provider: Provider, names: list[str], problem: str) -> None:
    """Says on the next page whether the provider works."""
    if problem:
        messages.warning(request, f"{provider.name} does not work yet. {problem}")
    else:
        messages.success(request, f"{provider.name} works: it offers {in_words(len(names))}.")


def back(request: PersonRequest, provider: Provider, *, focus: bool = False) -> HttpResponseRedirect:
    """To the page that the form was on."""
    if request.POST.get("back") == "welcome":
        return see_other("welcome")
    return see_other(key_place(provider) if focus else "settings:models")


def in_words(count: int) -> str:
    return "no models" if not count else "one model" if count == 1 else f"{count} models"


def _result(request: PersonRequest, names: list[str], problem: str, seconds: float) -> HttpResponse:
    context = {"problem": problem, "words": in_words(len(names)), "seconds": seconds}
    return render(request, "settings/_test_result.html", context)
