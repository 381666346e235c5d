"""Runs and steps in the admin, and what they add to the page of agents."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from agents.admin import AgentAdmin
from agents.models import Agent
from common.admin import HistoryAdmin, HistoryInline, each, excerpt, how_many, rows_link, state
from common.errors import ZergError
from common.templatetags.zerg import duration, money
from runs.models import UNFINISHED, Delivery, OutgoingHook, Run, RunStatus, Step
from runs.services import cancel, run_agent
from threads.models import Thread
from threads.services import create_thread, delete_thread

MOST_AT_ONCE = 50


def _seconds(row: Run | Step) -> str:
    if row.started_at is None or row.finished_at is None:
        return "–"
    return duration(row.finished_at - row.started_at)


class StepInline(HistoryInline[Step]):
    model = Step
    fk_name = "run"
    heavy = ["input", "output"]
    columns = ["index", "kind", "name", "condition", "took", "input_tokens", "output_tokens",
               "cost_usd", "error_message"]  # fmt: skip
    verbose_name_plural = "Newest steps"

    @admin.display(description="Status")
    def condition(self, step: Step) -> SafeString:
        return state(step.status)

    @admin.display(description="Took")
    def took(self, step: Step) -> str:
        return _seconds(step)


@admin.register(Run)
class RunAdmin(HistoryAdmin[Run]):
    list_display = ["id", "condition", "why", "agent", "thread", "actor", "trigger", "model", "step_count", "queued_at",
                    "took", "cost"]  # fmt: skip
    list_filter = ["status", "trigger", "reason", "queued_at"]
    list_select_related = ["agent", "thread", "actor"]
    list_per_page = 25
    search_fields = ["=id", "agent__name", "thread__title", "actor__email", "model", "error_message"]
    ordering = ["-id"]
    inlines = [StepInline]
    actions = ["cancel_runs"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        rows = super().get_queryset(request).annotate(steps_count=how_many(Step, "run"))
        is_list = request.resolver_match is not None and "object_id" not in request.resolver_match.kwargs
        return rows if is_list else rows.select_related("agent_version__agent", "input_message")

    @admin.display(description="Status", ordering="status")
    def condition(self, run: Run) -> SafeString:
        return state(run.status)

    @admin.display(description="Reason", ordering="reason")
    def why(self, run: Run) -> str:
        said = "" if run.status == RunStatus.SUCCEEDED else excerpt(run.error_message, 60)
        return said or run.get_reason_display() or "–"

    @admin.display(description="Took")
    def took(self, run: Run) -> str:
        return _seconds(run)

    @admin.display(description="Cost", ordering="cost_usd")
    def cost(self, run: Run) -> str:
        return money(run.cost_usd)

    @admin.display(description="Steps", ordering="steps_count")
    def step_count(self, run: Run) -> SafeString | str:
        return rows_link(Step, run.steps_count, run__id__exact=run.pk)  # type: ignore[attr-defined]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("runs.change_run"))

    @admin.action(description="Stop", permissions=["cancel"])
    def cancel_runs(self, request: HttpRequest, rows: QuerySet[Run]) -> None:
        done, refusals = each(rows.filter(status__in=UNFINISHED)[:1000], cancel)
        self.message_user(request, f"{done} stopped.")
        for words in refusals[:10]:
            self.message_user(request, words, messages.WARNING)


@admin.register(Step)
class StepAdmin(HistoryAdmin[Step]):
    list_display = ["run_number", "index", "kind", "name", "condition", "took", "input_tokens", "output_tokens", "cost"]
    list_filter = ["kind", "status", "effect"]
    list_per_page = 50
    search_fields = ["=run__id", "name", "error_message"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Step]:
        rows = super().get_queryset(request)
        is_list = request.resolver_match is not None and "object_id" not in request.resolver_match.kwargs
        return rows.defer("input", "output") if is_list else rows.select_related("run", "message")

    @admin.display(description="Run", ordering="run")
    def run_number(self, step: Step) -> int:
        return step.run_id

    @admin.display(description="Status", ordering="status")
    def condition(self, step: Step) -> SafeString:
        return state(step.status)

    @admin.display(description="Took")
    def took(self, step: Step) -> str:
        return _seconds(step)

    @admin.display(description="Cost", ordering="cost_usd")
    def cost(self, step: Step) -> str:
        return money(step.cost_usd)


@admin.register(OutgoingHook)
class OutgoingHookAdmin(HistoryAdmin[OutgoingHook]):
    list_display = ["name", "owner", "host", "enabled", "private_allowed", "created_at"]
    list_filter = ["enabled", "private_allowed"]
    list_select_related = ["owner"]
    list_per_page = 50
    search_fields = ["name", "owner__email"]
    ordering = ["-id"]
    fields = readonly_fields = ("name", "owner", "host", "secret_hint", "enabled", "private_allowed", "created_at")

    @admin.display(description="Host")
    def host(self, hook: OutgoingHook) -> str:
        return _host(hook.url)


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin[Delivery]):
    list_display = ["id", "condition", "way", "owner", "run_number", "tries", "last_status", "error", "created_at"]
    list_filter = ["status", "way", "is_test", "created_at"]
    list_select_related = ["owner"]
    list_per_page = 50
    search_fields = ["=id", "=run__id", "owner__email", "last_error"]
    ordering = ["-id"]
    fields = readonly_fields = ("condition", "way", "owner", "host", "run", "is_test", "tries", "next_try_at",
                                "last_status", "last_error", "created_at", "sent_at")  # fmt: skip

    @admin.display(description="Status", ordering="status")
    def condition(self, delivery: Delivery) -> SafeString:
        return state(delivery.status)

    @admin.display(description="Run", ordering="run")
    def run_number(self, delivery: Delivery) -> int | None:
        return delivery.run_id

    @admin.display(description="Error")
    def error(self, delivery: Delivery) -> str:
        return excerpt(delivery.last_error, 60)

    @admin.display(description="To")
    def host(self, delivery: Delivery) -> str:
        return _host(delivery.target)


def _host(target: str) -> str:
    """Where a message goes, without what may be a key: the rest of an address is its owner's."""
    return urlsplit(target).hostname or target


class AgentAdminWithRuns(AgentAdmin):
    """Agents can be run, and lead to their runs."""

    actions = [*AgentAdmin.actions, "run_now"]
    list_display = [*AgentAdmin.list_display, "run_count"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        return super().get_queryset(request).annotate(runs_count=how_many(Run, "agent"))

    @admin.display(description="Runs", ordering="runs_count")
    def run_count(self, agent: Agent) -> SafeString | str:
        return rows_link(Run, agent.runs_count, agent__id__exact=agent.pk)  # type: ignore[attr-defined]

    @admin.action(description="Run now, in a new thread of mine", permissions=["change"])
    def run_now(self, request: HttpRequest, rows: QuerySet[Agent]) -> None:
        """Acts for the administrator, who needs to be a member where the agent is: runs have their person's rights."""
        user = cast(User, request.user)
        agents = list(rows.select_related("workspace")[: MOST_AT_ONCE + 1])
        if len(agents) > MOST_AT_ONCE:
            self.message_user(request, f"Choose {MOST_AT_ONCE} agents at most.", messages.ERROR)
            return
        mine = set(
            Agent.objects.for_user(user).filter(pk__in=[agent.pk for agent in agents]).values_list("pk", flat=True)
        )

        threads: list[Thread] = []

        def run(agent: Agent) -> None:
            if agent.pk not in mine:
                raise ZergError(
                    "forbidden", f"you are no member of {agent.workspace}. Run one of its schedules instead."
                )
            if agent.archived_at is not None:
                raise ZergError("conflict", "it is archived.")
            title = f"{agent.name}, run by hand"
            thread = create_thread(agent, owner=user, title=title, thread_type=Thread.Type.MANUAL)
            try:
                run_agent(agent, actor=user, thread=thread, text="", trigger=Run.Trigger.MANUAL)
            except ZergError:
                delete_thread(thread)
                raise
            threads.append(thread)

        done, refusals = each(agents, run)
        words = format_html('{} started. <a href="{}">Read along</a>', done, _where(threads)) if done else "0 started."
        self.message_user(request, words, messages.SUCCESS if done else messages.INFO)
        for words in refusals[:10]:
            self.message_user(request, words, messages.WARNING)

    def response_change(self, request: HttpRequest, obj: Agent) -> HttpResponse:
        if "_run" not in request.POST:
            return super().response_change(request, obj)
        self.run_now(request, Agent.objects.filter(pk=obj.pk))
        return HttpResponseRedirect(request.get_full_path())


def _where(threads: list[Thread]) -> str:
    """The address of the thread, or of the list when there are several."""
    return reverse("threads:detail", args=[threads[0].pk]) if len(threads) == 1 else reverse("threads:list")


admin.site.unregister(Agent)
admin.site.register(Agent, AgentAdminWithRuns)
