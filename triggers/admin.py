"""Schedules and their ledger in the admin, and what they add to the page of agents."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.models import User
from agents.models import Agent
from common.admin import (
    NEWEST,
    HistoryAdmin,
    HistoryInline,
    ModelAdmin,
    TabularInline,
    each,
    how_many,
    show_refusal,
    state,
)
from common.errors import ZergError
from common.paging import QuickPaginator
from runs.admin import AgentAdminWithRuns
from triggers import services
from triggers.hook_admin import run_link  # the admin finds the pages of webhooks by it, too
from triggers.models import Occurrence, Schedule

if TYPE_CHECKING:
    ScheduleModelForm = forms.ModelForm[Schedule]
else:
    ScheduleModelForm = forms.ModelForm

MOST_AT_ONCE = 200


class ScheduleAdminForm(ScheduleModelForm):
    """What the service would refuse, the form says at its field."""

    class Meta:
        model = Schedule
        fields = "__all__"

    def clean(self) -> dict[str, Any] | None:
        fields = super().clean() or self.cleaned_data
        if self.errors:
            return fields
        wanted = copy.copy(self.instance)
        for name, value in self.changes().items():
            setattr(wanted, name, value)
        try:
            services.check_schedule(wanted, current=self.instance if self.instance.pk else None)
        except ZergError as error:
            show_refusal(self, error)
        return fields

    def changes(self) -> dict[str, Any]:
        """The fields for the services."""
        return {name: value for name, value in self.cleaned_data.items() if name in services.CHANGEABLE}


def save(form: ScheduleAdminForm, schedule: Schedule, is_change: bool, **given: Any) -> None:
    """Saves a valid form through the services; ``schedule`` becomes the row."""
    fields = {**form.changes(), **given}
    if is_change:
        saved = services.update_schedule(schedule, **fields)
    else:
        saved = services.create_schedule(fields.pop("agent"), **fields)
    schedule.__dict__.update(saved.__dict__)


class OccurrenceInline(HistoryInline[Occurrence]):
    model = Occurrence
    fk_name = "schedule"
    columns = ["scheduled_for", "result", "reason", "lateness_seconds", "its_run"]
    show_change_link = False
    verbose_name_plural = "Newest due times"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Occurrence]:
        return super().get_queryset(request).select_related("schedule")

    @admin.display(description="Outcome")
    def result(self, occurrence: Occurrence) -> SafeString:
        return state(occurrence.outcome)

    @admin.display(description="Run")
    def its_run(self, occurrence: Occurrence) -> SafeString | str:
        return run_link(occurrence.run_id)


def condition_of(schedule: Schedule) -> SafeString:
    if schedule.enabled:
        return state("ok", "On")
    return state("off") if schedule.disabled_reason else state("paused")


class FailingFilter(admin.SimpleListFilter):
    """Those whose last runs failed, and that wait longer each time for that."""

    title, parameter_name = "failures in a row", "failing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Failing"), ("no", "None")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> QuerySet[Schedule]:
        match self.value():
            case "yes":
                return queryset.filter(failures_in_row__gt=0)
            case "no":
                return queryset.filter(failures_in_row=0)
        return queryset


@admin.register(Schedule)
class ScheduleAdmin(ModelAdmin[Schedule]):
    form = ScheduleAdminForm
    list_display = ["called", "agent", "owner", "when", "condition", "next_run_at", "last_run_at", "last_outcome"]
    list_filter = ["enabled", "kind", "thread_mode", "context_policy", "overlap_policy", "missed_policy", "watch_kind",
                   "check_kind", "notify_policy", "notify_email", FailingFilter, "last_run_at"]  # fmt: skip
    list_select_related = ["agent", "owner"]
    list_per_page = 50
    search_fields = ["name", "expression", "agent__name", "owner__email"]
    paginator = QuickPaginator
    show_full_result_count = False
    ordering = ["-id"]
    raw_id_fields = ["agent", "owner", "thread", "notify_hook"]
    inlines = [OccurrenceInline]
    actions = ["pause", "resume", "run_now"]
    readonly_fields = ["when", "next_run_at", "last_run_at", "disabled_reason", "is_default", "created_at",
                       "updated_at", "runs_made", "offset_seconds", "thread_since", "thread_runs", "failures_in_row",
                       "back_off_until"]  # fmt: skip
    fieldsets = [
        (None, {"fields": ["agent", "owner", "name", "prompt"]}),
        ("When", {"fields": ["kind", "expression", "timezone", "enabled", "when", "next_run_at", "disabled_reason"]}),
        ("From, until, how often", {"fields": ["starts_at", "ends_at", "most_runs", "runs_made", "spread_seconds",
                                               "offset_seconds"]}),
        ("Where it writes", {"fields": ["thread_mode", "thread", "roll_every", "roll_runs", "thread_since",
                                        "thread_runs"]}),
        ("What it remembers", {"fields": ["context_policy", "context_runs"]}),
        ("Look first", {"fields": ["watch_kind", "watch_url", "watch_path"]}),
        ("What counts as success", {"fields": ["check_kind", "check_text"]}),
        ("When things do not go as planned", {"fields": ["overlap_policy", "missed_policy", "missed_limit",
                                                         "failure_limit", "failures_in_row", "back_off_until"]}),
        ("Who is told", {"fields": ["notify_policy", "notify_email", "notify_hook"]}),
        ("Row", {"fields": ["last_run_at", "is_default", "created_at", "updated_at"]}),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        last = Occurrence.objects.filter(schedule=OuterRef("pk")).order_by("-scheduled_for", "-id")
        rows = super().get_queryset(request).select_related("agent", "owner", "thread")
        return rows.annotate(outcome=Subquery(last.values("outcome")[:1]))

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        save(form, obj, change)

    def delete_model(self, request: HttpRequest, obj: Schedule) -> None:
        services.delete_schedule(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        for schedule in queryset:
            services.delete_schedule(schedule)

    @admin.display(description="Schedule", ordering="name")
    def called(self, schedule: Schedule) -> str:
        return str(schedule)

    @admin.display(description="In words")
    def when(self, schedule: Schedule) -> str:
        return schedule.sentence if schedule.pk else "–"

    @admin.display(description="State", ordering="enabled")
    def condition(self, schedule: Schedule) -> SafeString:
        return condition_of(schedule)

    @admin.display(description="Last outcome")
    def last_outcome(self, schedule: Schedule) -> SafeString | str:
        outcome: str | None = schedule.outcome  # type: ignore[attr-defined]  # annotated
        return state(outcome) if outcome else "–"

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        done, refusals = each(rows.filter(enabled=True), services.pause)
        self._report(request, f"{done} paused.", refusals)

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        done, refusals = each(rows.filter(enabled=False), services.resume)
        self._report(request, f"{done} go on.", refusals)

    @admin.action(description="Run now, for their owners", permissions=["change"])
    def run_now(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        """With the rights of each schedule's owner, into the owner's thread, as at a due time."""
        schedules = list(rows[: MOST_AT_ONCE + 1])
        if len(schedules) > MOST_AT_ONCE:
            self.message_user(request, f"Choose {MOST_AT_ONCE} schedules at most.", messages.ERROR)
            return
        done, refusals = each(schedules, lambda schedule: services.run_now(schedule, actor=schedule.owner))
        self._report(request, f"{done} started.", refusals)

    def _report(self, request: HttpRequest, words: str, refusals: list[str]) -> None:
        self.message_user(request, words)
        for refusal in refusals[:10]:
            self.message_user(request, refusal, messages.WARNING)


@admin.register(Occurrence)
class OccurrenceAdmin(HistoryAdmin[Occurrence]):
    list_display = ["scheduled_for", "schedule", "agent", "result", "reason", "lateness_seconds", "its_run"]
    list_filter = ["outcome", "scheduled_for"]
    list_select_related = ["schedule__agent"]
    list_per_page = 50
    search_fields = ["schedule__name", "schedule__agent__name", "reason"]
    ordering = ["-id"]

    @admin.display(description="Agent", ordering="schedule__agent__name")
    def agent(self, occurrence: Occurrence) -> str:
        return str(occurrence.schedule.agent)

    @admin.display(description="Outcome", ordering="outcome")
    def result(self, occurrence: Occurrence) -> SafeString:
        return state(occurrence.outcome)

    @admin.display(description="Run")
    def its_run(self, occurrence: Occurrence) -> SafeString | str:
        return run_link(occurrence.run_id)


class InlineForm(ScheduleAdminForm):
    """A schedule below its agent. A new one without an owner is the administrator's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].required = bool(self.instance.pk)

    def clean_owner(self) -> User:
        return cast(User, self.cleaned_data["owner"] or self.user)  # type: ignore[attr-defined]  # set by the inline


class ScheduleInline(TabularInline[Schedule, Agent]):
    model = Schedule
    form = InlineForm
    extra = 0
    show_change_link = True
    raw_id_fields = ["owner"]
    fields = ["name", "kind", "expression", "timezone", "owner", "enabled", "next_run_at"]
    readonly_fields = ["next_run_at"]
    verbose_name_plural = "Newest schedules"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        rows = super().get_queryset(request).select_related("agent", "owner", "thread")
        match = request.resolver_match
        owner = str(match.kwargs.get("object_id", "")) if match else ""
        if not owner.isdecimal():
            return rows.none()
        newest = rows.filter(agent=int(owner)).order_by("-pk").values_list("pk", flat=True)[:NEWEST]
        return rows.filter(pk__in=list(newest)).order_by("-pk")

    def get_formset(self, request: HttpRequest, obj: Agent | None = None, **kwargs: Any) -> Any:
        asker = cast(User, request.user)
        kwargs["form"] = type("FormOfAsker", (InlineForm,), {"user": asker})
        return super().get_formset(request, obj, **kwargs)


class AgentAdminWithSchedules(AgentAdminWithRuns):
    """Agents with their schedules below them."""

    inlines = [ScheduleInline, *AgentAdminWithRuns.inlines]
    list_display = [*AgentAdminWithRuns.list_display, "schedule_count"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        return super().get_queryset(request).annotate(schedules_count=how_many(Schedule, "agent"))

    def get_inlines(self, request: HttpRequest, obj: Agent | None) -> list[Any]:
        return [] if obj is None else list(self.inlines)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is not Schedule:
            super().save_formset(request, form, formset, change)
            return
        formset.save(commit=False)
        for removed in formset.deleted_objects:
            services.delete_schedule(removed)
        changed = {id(schedule) for schedule, _ in formset.changed_objects}
        added = {id(schedule) for schedule in formset.new_objects}
        for row in formset.forms:
            if id(row.instance) in changed or id(row.instance) in added:
                save(row, row.instance, id(row.instance) in changed, agent=form.instance)

    @admin.display(description="Schedules", ordering="schedules_count")
    def schedule_count(self, agent: Agent) -> int:
        return int(agent.schedules_count)  # type: ignore[attr-defined]


admin.site.unregister(Agent)
admin.site.register(Agent, AgentAdminWithSchedules)
