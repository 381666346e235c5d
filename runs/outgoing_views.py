"""Settings, Notices: the webhooks that Zerg calls for a person, and the log of what was sent outside."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from common.errors import ZergError
from common.paging import stretch
from common.redirects import see_other
from runs.deliveries import send_again
from runs.models import Delivery, OutgoingHook
from runs.outgoing import add_hook, edit_hook, rotate_secret, switch_hook, try_hook
from runs.outgoing_forms import HookForm

PER_PAGE = 50
NEWEST = 5


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_hook(request: PersonRequest) -> HttpResponse:
    """A new webhook. Its secret is in the answer to the form: to redirect it would have to be kept."""
    form = HookForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            hook, secret = add_hook(request.user, name=form.cleaned_data["name"], url=form.cleaned_data["url"])
            return _hook_page(request, hook, HookForm(instance=hook), shown=secret)
        except ZergError as error:
            form.add_error(None, error.message)
    context = {"form": form, "tab": "notices"}
    return render(request, "settings/hook_new.html", context, status=422 if form.is_bound else 200)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def hook(request: PersonRequest, pk: int) -> HttpResponse:
    """One webhook: what it is called, where it leads, what was sent there last."""
    row = OutgoingHook.objects.get_for(request.user, pk)
    form = HookForm(request.POST if request.method == "POST" else None, instance=row)
    stored = OutgoingHook.objects.get_for(request.user, pk)
    if form.is_bound and form.is_valid():
        edit_hook(stored, name=form.cleaned_data["name"], url=form.cleaned_data["url"], author=request.user)
        messages.success(request, "Saved.")
        return see_other("settings:hook", pk)
    return _hook_page(request, stored, form)


def _hook_page(request: PersonRequest, hook: OutgoingHook, form: HookForm, *, shown: str = "") -> HttpResponse:
    sent = Delivery.objects.for_user(request.user).filter(hook=hook).select_related("hook", "run__agent")
    context = {"hook": hook, "form": form, "shown": shown, "deliveries": sent[:NEWEST], "tab": "notices"}
    return render(request, "settings/hook.html", context, status=422 if form.is_bound and form.errors else 200)


@never_cache
@signed_in
@require_POST
def rotate(request: PersonRequest, pk: int) -> HttpResponse:
    """Another secret, shown in the answer only."""
    row = OutgoingHook.objects.get_for(request.user, pk)
    return _hook_page(request, row, HookForm(instance=row), shown=rotate_secret(row))


@signed_in
@require_POST
def try_it(request: PersonRequest, pk: int) -> HttpResponse:
    """Sends a test and says what came of it."""
    row = OutgoingHook.objects.get_for(request.user, pk)
    delivery = try_hook(row)
    if delivery.status == Delivery.Status.SENT:
        messages.success(request, f"{row.name} works: it answered {delivery.last_status}.")
    else:
        messages.warning(request, f"The test did not arrive. {delivery.last_error}")
    return see_other("settings:hook", pk)


@signed_in
@require_POST
def switch(request: PersonRequest, pk: int) -> HttpResponse:
    """Turns the webhook on or off, as the button said (``enabled`` 1 or 0)."""
    row = OutgoingHook.objects.get_for(request.user, pk)
    switch_hook(row, on=request.POST.get("enabled") == "1")
    messages.success(request, f"{row.name} is {'on' if row.enabled else 'off'}.")
    return see_other("settings:hook", pk)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: PersonRequest, pk: int) -> HttpResponse:
    """Removed when that is confirmed."""
    row = OutgoingHook.objects.get_for(request.user, pk)
    if request.method == "POST":
        row.delete()
        messages.success(request, f"{row.name} and its secret are removed.")
        return see_other("settings:notices")
    return render(request, "settings/hook_remove.html", {"hook": row, "tab": "notices"})


@signed_in
@require_safe
def deliveries(request: PersonRequest) -> HttpResponse:
    """The log of what was sent outside, newest first."""
    rows = Delivery.objects.for_user(request.user).select_related("hook", "run__agent")
    context = {"page": stretch(rows, request.GET, PER_PAGE), "tab": "notices"}
    return render(request, "settings/deliveries.html", context)


@signed_in
@require_POST
def again(request: PersonRequest, pk: int) -> HttpResponse:
    send_again(Delivery.objects.get_for(request.user, pk))
    messages.success(request, "It is sent again now. Reload in a moment to see what came of it.")
    return see_other("settings:deliveries")
