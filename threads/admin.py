"""Threads and messages in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.utils.safestring import SafeString

from common.admin import DeletesByCount, HistoryAdmin, HistoryInline, excerpt, how_many, rows_link, state
from threads.models import Thread, ThreadMessage, run_model
from threads.services import delete_thread, update_thread

LONG = ["content", "reasoning", "html", "tool_calls", "error_detail"]


def beginning(message: ThreadMessage) -> str:
    """The first words of a message from a queryset that has ``start``."""
    return excerpt(message.start)  # type: ignore[attr-defined]


class MessageInline(HistoryInline[ThreadMessage]):
    model = ThreadMessage
    fk_name = "thread"
    heavy = LONG
    columns = ["seq", "role", "condition", "begins", "source", "timestamp"]
    verbose_name_plural = "Newest messages"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ThreadMessage]:
        return super().get_queryset(request).annotate(start=Left("content", 200))

    @admin.display(description="Status")
    def condition(self, message: ThreadMessage) -> SafeString:
        return state(message.status)

    @admin.display(description="Begins")
    def begins(self, message: ThreadMessage) -> str:
        return beginning(message)


@admin.register(Thread)
class ThreadAdmin(DeletesByCount[Thread]):
    """Threads are begun from the pages and the API; here they are found, renamed and deleted."""

    list_display = ["called", "agent", "owner", "thread_type", "active", "message_count", "run_count", "updated_at"]
    list_filter = ["thread_type", "active", "updated_at"]
    list_select_related = ["agent", "owner"]
    list_per_page = 25
    search_fields = ["title", "agent__name", "owner__email"]
    ordering = ["-id"]
    inlines = [MessageInline]
    fields = ["title", "memory_strategy", "busy_policy", "active", "agent", "owner", "thread_type", "agent_state",
              "last_seq", "version", "created_at", "updated_at"]  # fmt: skip
    readonly_fields = ["agent", "owner", "thread_type", "agent_state", "last_seq", "version", "created_at",
                       "updated_at"]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Thread]:
        runs: Any = run_model()
        return super().get_queryset(request).annotate(runs_count=how_many(runs, "thread"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Thread, form: Any, change: bool) -> None:
        update_thread(obj, **{name: form.cleaned_data[name] for name in form.changed_data})

    def goes_too(self, rows: QuerySet[Thread]) -> dict[str, int]:
        # One at a time: counted in one query, they would multiply each other.
        return {name: rows.aggregate(number=Count(name))["number"] for name in ("messages", "runs")}

    def in_the_way(self, rows: QuerySet[Thread]) -> list[str]:
        busy = rows.filter(runs__finished_at=None, runs__isnull=False).distinct()
        return [f"{thread} is being worked on. Stop its run first." for thread in busy]

    def delete_model(self, request: HttpRequest, obj: Thread) -> None:
        delete_thread(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Thread]) -> None:
        for thread in queryset:
            delete_thread(thread)

    @admin.display(description="Title", ordering="title")
    def called(self, thread: Thread) -> str:
        return str(thread)

    @admin.display(description="Messages", ordering="last_seq")
    def message_count(self, thread: Thread) -> SafeString | str:
        return rows_link(ThreadMessage, thread.last_seq, thread__id__exact=thread.pk)

    @admin.display(description="Runs", ordering="runs_count")
    def run_count(self, thread: Thread) -> SafeString | str:
        number = thread.runs_count  # type: ignore[attr-defined]
        return rows_link(thread.runs.model, number, thread__id__exact=thread.pk)


@admin.register(ThreadMessage)
class ThreadMessageAdmin(HistoryAdmin[ThreadMessage]):
    list_display = ["place", "thread", "role", "condition", "begins", "source", "run_id", "timestamp"]
    list_filter = ["role", "status", "source", "kind"]
    list_select_related = ["thread"]
    list_per_page = 50
    search_fields = ["content", "thread__title", "=client_message_id"]
    ordering = ["-id"]
    exclude = ["html"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ThreadMessage]:
        rows = super().get_queryset(request).annotate(start=Left("content", 200))
        is_list = request.resolver_match is not None and "object_id" not in request.resolver_match.kwargs
        return rows.defer(*LONG) if is_list else rows

    @admin.display(description="No.", ordering="seq")
    def place(self, message: ThreadMessage) -> str:
        return str(message.seq or "queued")

    @admin.display(description="Status", ordering="status")
    def condition(self, message: ThreadMessage) -> SafeString:
        return state(message.status)

    @admin.display(description="Begins")
    def begins(self, message: ThreadMessage) -> str:
        return beginning(message)
