"""The pages of webhooks."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from common.errors import ZergError, not_found
from common.paging import numbered, stretch
from common.redirects import see_other
from triggers.hook_forms import SecretForm, WebhookForm, first_values, initial_of
from triggers.hooks import services
from triggers.hooks.examples import example
from triggers.models import Received, Webhook

PER_PAGE = 50
SECTION = {"section": "schedules"}
"""The rail's entry: webhooks are beside schedules."""


@signed_in
@require_safe
def webhook_list(request: PersonRequest) -> HttpResponse:
    """The person's webhooks with what came in last, newest first."""
    rows = Webhook.objects.for_user(request.user).order_by("-id").only("pk")
    page = numbered(rows, request.GET, PER_PAGE).with_rows(_shown)
    return render(request, "webhooks/page_list.html", {**SECTION, "page": page})


def _shown(ids: list[int]) -> list[Webhook]:
    last = Received.objects.filter(webhook=OuterRef("pk")).order_by("-id")
    rows = (
        Webhook.objects.filter(pk__in=ids)
        .select_related("agent")
        .annotate(last_verdict=Subquery(last.values("verdict")[:1]), last_at=Subquery(last.values("received_at")[:1]))
    )
    return list(rows.order_by("-id"))


@never_cache
@signed_in
@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def new_webhook(request: PersonRequest) -> HttpResponse:
    """The form of a new webhook; ``?agent=`` chooses its agent. The answer shows its secret, this once."""
    if not Agent.objects.for_user(request.user).filter(archived_at=None).exists():
        messages.info(request, "Make an agent first: then it can have a webhook.")
        return see_other("agents:new")
    asked = request.GET.get("agent", "")
    agent = Agent.objects.get_for(request.user, int(asked)) if asked.isdecimal() else None
    data = request.POST if request.method == "POST" else None
    form = WebhookForm(data, user=request.user, initial=first_values(agent))
    if form.is_valid():
        fields = dict(form.cleaned_data)
        try:
            made, secret = services.create_webhook(fields.pop("agent"), owner=request.user, **fields)
        except ZergError as error:
            form.add_refusal(error)
        else:
            return _secret_page(request, made, "" if fields["secret"] else secret)
    return render(request, "webhooks/page_new.html", {**SECTION, "form": form}, status=422 if form.is_bound else 200)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_detail(request: PersonRequest, pk: int) -> HttpResponse:
    """A webhook's address, how to call it, what came in, and its form."""
    webhook = _mine(request, pk)
    data = request.POST if request.method == "POST" else None
    form = WebhookForm(data, user=request.user, webhook=webhook, initial=initial_of(webhook))
    if form.is_valid():
        try:
            services.update_webhook(webhook, **form.cleaned_data)
        except ZergError as error:
            form.add_refusal(error)
        else:
            messages.success(request, "Saved.")
            return see_other("webhooks:detail", pk)
    return _detail(request, webhook, form, SecretForm())


def _detail(request: PersonRequest, webhook: Webhook, form: WebhookForm, secret_form: SecretForm) -> HttpResponse:
    rows = webhook.received.select_related("run").defer("body", "headers")
    context: dict[str, Any] = {
        **SECTION,
        "webhook": webhook,
        "form": form,
        "secret_form": secret_form,
        "example": example(webhook),
        "page": stretch(rows, request.GET, PER_PAGE),
    }
    status = 422 if form.is_bound or secret_form.is_bound else 200
    return render(request, "webhooks/page_detail.html", context, status=status)


@never_cache
@signed_in
@sensitive_post_parameters("secret")
@require_POST
def secret(request: PersonRequest, pk: int) -> HttpResponse:
    """Another secret: the person's own, or a new one, which the answer shows, this once."""
    webhook = _mine(request, pk)
    form = SecretForm(request.POST)
    if form.is_valid():
        own = form.cleaned_data["secret"]
        try:
            if not own:
                return _secret_page(request, webhook, services.rotate_secret(webhook))
            services.set_secret(webhook, secret=own)
        except ZergError as error:
            form.add_error("secret", error.message)
        else:
            messages.success(request, "The secret is changed. The one before counts for 24 hours, too.")
            return see_other("webhooks:detail", pk)
    return _detail(request, webhook, WebhookForm(user=request.user, webhook=webhook, initial=initial_of(webhook)), form)


def _secret_page(request: PersonRequest, webhook: Webhook, shown: str) -> HttpResponse:
    """Shown in the answer to the form: to redirect it would have to be kept."""
    context = {**SECTION, "webhook": webhook, "shown": shown, "example": example(webhook)}
    return render(request, "webhooks/page_secret.html", context)


@signed_in
@require_POST
def forget_old_secret(request: PersonRequest, pk: int) -> HttpResponse:
    services.forget_old_secret(_mine(request, pk))
    messages.success(request, "Only the new secret counts now.")
    return see_other("webhooks:detail", pk)


@signed_in
@require_POST
def test(request: PersonRequest, pk: int) -> HttpResponse:
    """Sends a sample, and leads to what became of it."""
    row = services.send_test(_mine(request, pk))
    return see_other("webhooks:received", pk, row.pk)


@signed_in
@require_POST
def pause(request: PersonRequest, pk: int) -> HttpResponse:
    services.pause(_mine(request, pk))
    messages.success(request, "Paused. What comes in is refused, and can be replayed from the log.")
    return _back(request, pk)


@signed_in
@require_POST
def resume(request: PersonRequest, pk: int) -> HttpResponse:
    try:
        services.resume(_mine(request, pk))
    except ZergError as error:
        if error.code == "not_found":
            raise
        messages.error(request, error.message)
    else:
        messages.success(request, "It goes on.")
    return _back(request, pk)


@signed_in
@require_POST
def delete(request: PersonRequest, pk: int) -> HttpResponse:
    webhook = _mine(request, pk)
    services.delete_webhook(webhook)
    messages.success(request, f"{webhook.name} is deleted. Its threads stay.")
    return see_other("webhooks:list")


@signed_in
@require_safe
def received(request: PersonRequest, pk: int, received_id: int) -> HttpResponse:
    """One request: what it said, and what became of it."""
    row = _received(request, pk, received_id)
    context = {**SECTION, "webhook": row.webhook, "received": row, "answer": json.dumps(row.answer, ensure_ascii=False)}
    return render(request, "webhooks/page_received.html", context)


@signed_in
@require_POST
def replay(request: PersonRequest, pk: int, received_id: int) -> HttpResponse:
    """Runs it again, and leads to the new line."""
    row = _received(request, pk, received_id)
    try:
        again = services.replay(row)
    except ZergError as error:
        messages.error(request, error.message)
        return see_other("webhooks:received", pk, received_id)
    messages.success(request, "Replayed.")
    return see_other("webhooks:received", pk, again.pk)


def _mine(request: PersonRequest, pk: int) -> Webhook:
    webhooks: Any = Webhook.objects.select_related("agent", "owner", "thread__agent")
    webhook: Webhook = webhooks.get_for(request.user, pk)
    return webhook


def _received(request: PersonRequest, pk: int, received_id: int) -> Received:
    rows: Any = Received.objects.select_related("webhook__agent", "run")
    row: Received = rows.get_for(request.user, received_id)
    if row.webhook_id != pk:
        raise not_found("Received request")
    return row


def _back(request: PersonRequest, pk: int) -> HttpResponse:
    return see_other("webhooks:list") if request.POST.get("back") == "list" else see_other("webhooks:detail", pk)
