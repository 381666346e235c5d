"""Webhooks and what came in, in the admin. Secrets are not among it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.admin import HistoryAdmin, HistoryInline, ModelAdmin, each, state
from common.paging import QuickPaginator
from triggers.hooks import services
from triggers.models import Received, Webhook


def run_link(run_id: int | None) -> SafeString | str:
    if run_id is None:
        return "–"
    return format_html('<a href="{}">Run {}</a>', reverse("admin:runs_run_change", args=[run_id]), run_id)


class ReceivedInline(HistoryInline[Received]):
    model = Received
    fk_name = "webhook"
    columns = ["received_at", "result", "reason", "delivery_id", "its_run"]
    heavy = ["headers", "body", "answer"]
    verbose_name_plural = "Newest requests"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Received]:
        return super().get_queryset(request).select_related("webhook")

    @admin.display(description="Verdict")
    def result(self, received: Received) -> SafeString:
        return state(received.verdict)

    @admin.display(description="Run")
    def its_run(self, received: Received) -> SafeString | str:
        return run_link(received.run_id)


@admin.register(Webhook)
class WebhookAdmin(ModelAdmin[Webhook]):
    """To be looked at, paused and deleted. Making one shows its secret, which is its owner's to see alone."""

    list_display = ["name", "agent", "owner", "style", "condition", "thread_mode", "last_received_at"]
    list_filter = ["enabled", "style", "thread_mode", "last_received_at"]
    list_select_related = ["agent", "owner"]
    list_per_page = 50
    search_fields = ["name", "agent__name", "owner__email"]
    paginator = QuickPaginator
    show_full_result_count = False
    ordering = ["-id"]
    inlines = [ReceivedInline]
    actions = ["pause", "resume"]
    readonly_fields = [
        "name", "agent", "owner", "style", "url", "prompt", "enabled", "thread_mode", "thread", "context_policy",
        "check_kind", "check_text", "notify_policy", "notify_email", "notify_hook", "last_received_at", "created_at",
        "updated_at",
    ]  # fmt: skip
    fields = [*readonly_fields]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        return super().get_queryset(request).select_related("agent", "owner", "thread", "notify_hook")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description="State", ordering="enabled")
    def condition(self, webhook: Webhook) -> SafeString:
        return state("ok", "On") if webhook.enabled else state("paused")

    @admin.display(description="Address")
    def url(self, webhook: Webhook) -> str:
        return webhook.url

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, rows: QuerySet[Webhook]) -> None:
        done, _ = each(rows.filter(enabled=True), services.pause)
        self.message_user(request, f"{done} paused.")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, rows: QuerySet[Webhook]) -> None:
        done, refusals = each(rows.filter(enabled=False), services.resume)
        self.message_user(request, f"{done} go on.")
        for refusal in refusals[:10]:
            self.message_user(request, refusal, messages.WARNING)


@admin.register(Received)
class ReceivedAdmin(HistoryAdmin[Received]):
    list_display = ["received_at", "webhook", "agent", "result", "reason", "delivery_id", "is_test", "its_run"]
    list_filter = ["verdict", "is_test", "received_at"]
    list_select_related = ["webhook__agent"]
    list_per_page = 50
    search_fields = ["webhook__name", "webhook__agent__name", "delivery_id", "reason"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Received]:
        rows: QuerySet[Received] = super().get_queryset(request)
        match: Any = request.resolver_match
        return rows if match and "object_id" in match.kwargs else rows.defer("headers", "body", "answer")

    @admin.display(description="Agent", ordering="webhook__agent__name")
    def agent(self, received: Received) -> str:
        return str(received.webhook.agent)

    @admin.display(description="Verdict", ordering="verdict")
    def result(self, received: Received) -> SafeString:
        return state(received.verdict)

    @admin.display(description="Run")
    def its_run(self, received: Received) -> SafeString | str:
        return run_link(received.run_id)
