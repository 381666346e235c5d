"""Agents, providers and models in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from agents.models import Agent, AgentVersion, LanguageModel, Provider
from agents.services import archive_agent, duplicate_agent, restore_agent, save_agent, save_provider
from agents.toolbox import TOOLS
from common.admin import DeletesByCount, HistoryAdmin, HistoryInline, ModelAdmin, excerpt, how_many, rows_link, state
from common.templatetags.zerg import pulse

if TYPE_CHECKING:
    AgentModelForm = forms.ModelForm[Agent]
    ProviderModelForm = forms.ModelForm[Provider]
else:
    AgentModelForm = ProviderModelForm = forms.ModelForm

UNFINISHED = ["queued", "running", "waiting"]


class AgentAdminForm(AgentModelForm):
    tools = forms.MultipleChoiceField(
        required=False, choices=[(name, name) for name in TOOLS], widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Agent
        fields = "__all__"

    def clean_config(self) -> dict[str, Any]:
        value = self.cleaned_data["config"]
        if not isinstance(value, dict):
            raise ValidationError('This must be a JSON object, such as {"team": "news"}.')
        return value


class VersionInline(HistoryInline[AgentVersion]):
    model = AgentVersion
    fk_name = "agent"
    heavy = ["snapshot"]
    columns = ["number", "created_by", "created_at"]
    verbose_name_plural = "Newest versions"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentVersion]:
        return super().get_queryset(request).select_related("created_by", "agent")


@admin.register(Agent)
class AgentAdmin(DeletesByCount[Agent]):
    """The layers above add what is theirs: ``runs.admin`` and ``triggers.admin`` register classes made of this one."""

    form = AgentAdminForm
    list_display = ["name", "condition", "model", "last_runs", "last_run_at", "next_run_at", "workspace",
                    "thread_count"]  # fmt: skip
    list_filter = ["status", ("archived_at", admin.EmptyFieldListFilter), "memory_strategy", "last_run_at"]
    list_select_related = ["workspace"]
    search_fields = ["name", "description", "workspace__name", "created_by__email"]
    ordering = ["-id"]
    list_per_page = 25
    raw_id_fields = ["workspace"]
    inlines = [VersionInline]
    actions = ["duplicate", "archive", "restore"]
    readonly_fields = ["created_by", "condition", "last_runs", "schedule", "last_run_at", "next_run_at", "last_error",
                       "version_number", "archived_at", "created_at", "updated_at"]  # fmt: skip
    fieldsets = [
        (None, {"fields": ["workspace", "name", "description", "system_instructions", "task_instructions"]}),
        ("Model", {"fields": ["model", "temperature", "max_output_tokens", "max_steps", "tools"]}),
        ("Memory", {"fields": ["memory_strategy", "memory_window"]}),
        ("For programs", {"fields": ["config"], "classes": ["collapse"]}),
        ("What it did", {"fields": ["condition", "last_runs", "last_run_at", "next_run_at", "schedule", "last_error"]}),
        ("Row", {"fields": ["version_number", "created_by", "created_at", "updated_at", "archived_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        threads = cast(Any, Agent._meta.get_field("threads")).related_model
        return super().get_queryset(request).filter(trial=False).annotate(threads_count=how_many(threads, "agent"))

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> list[str]:
        # Its people's threads belong to the workspace's members: an agent does not move.
        return [*self.readonly_fields, *(["workspace"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        author = cast(User, request.user)
        if not change:
            obj.created_by = author
        save_agent(obj, author=author)

    def goes_too(self, rows: QuerySet[Agent]) -> dict[str, int]:
        # One at a time: counted in one query, they would multiply each other.
        names = {"threads with their messages": "threads", "runs": "runs", "schedules": "schedules"}
        return {words: rows.aggregate(number=Count(name))["number"] for words, name in names.items()}

    def in_the_way(self, rows: QuerySet[Agent]) -> list[str]:
        busy = rows.filter(runs__status__in=UNFINISHED).distinct()
        return [f"{agent} has runs that have not ended. Stop them first." for agent in busy]

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        with transaction.atomic():
            obj.runs.all().delete()  # the runs hold the versions: they go first
            obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        for agent in queryset:
            self.delete_model(request, agent)

    @admin.display(description="Status", ordering="status")
    def condition(self, agent: Agent) -> SafeString:
        return state("off", "Archived") if agent.archived_at else state(agent.status)

    @admin.display(description="Last runs")
    def last_runs(self, agent: Agent) -> SafeString | str:
        return format_html("{} {} %", pulse(agent.pulse), agent.success_rate) if agent.pulse else "–"

    @admin.display(description="Threads", ordering="threads_count")
    def thread_count(self, agent: Agent) -> SafeString | str:
        model = cast(Any, Agent._meta.get_field("threads")).related_model
        return rows_link(model, agent.threads_count, agent__id__exact=agent.pk)  # type: ignore[attr-defined]

    @admin.action(description="Duplicate", permissions=["add"])
    def duplicate(self, request: HttpRequest, rows: QuerySet[Agent]) -> None:
        copies = [duplicate_agent(agent, author=cast(User, request.user)) for agent in rows.select_related("workspace")]
        self.message_user(request, f"{len(copies)} made. They have no schedules yet.")

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request: HttpRequest, rows: QuerySet[Agent]) -> None:
        for agent in rows:
            archive_agent(agent)
        self.message_user(request, "Archived. They start nothing by themselves any more.")

    @admin.action(description="Bring back from the archive", permissions=["change"])
    def restore(self, request: HttpRequest, rows: QuerySet[Agent]) -> None:
        for agent in rows:
            restore_agent(agent)
        self.message_user(request, "They are back.")


@admin.register(AgentVersion)
class AgentVersionAdmin(HistoryAdmin[AgentVersion]):
    list_display = ["agent", "number", "created_by", "created_at"]
    list_filter = ["created_at"]
    list_select_related = ["agent", "created_by"]
    search_fields = ["agent__name", "created_by__email"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentVersion]:
        is_list = request.resolver_match is not None and "object_id" not in request.resolver_match.kwargs
        rows = super().get_queryset(request)
        return rows.defer("snapshot") if is_list else rows


class ProviderAdminForm(ProviderModelForm):
    new_key = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Kept encrypted and never shown again. Empty: the key stays as it is.",
    )
    forget_key = forms.BooleanField(label="Remove the key that is stored", required=False)

    class Meta:
        model = Provider
        fields = "__all__"

    def clean_new_key(self) -> str:
        key: str = self.cleaned_data["new_key"].strip()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValidationError("A key has no spaces and only plain characters. Copy it again.")
        return key

    def clean_base_url(self) -> str:
        address: str = self.cleaned_data["base_url"].strip().rstrip("/")
        if not address.startswith(("http://", "https://")):
            raise ValidationError("The address begins with http:// or https://.")
        return address


@admin.register(Provider)
class ProviderAdmin(ModelAdmin[Provider]):
    form = ProviderAdminForm
    list_display = ["name", "kind", "workspace", "base_url", "key", "condition", "model_count", "last_checked_at"]
    list_filter = ["kind", "enabled", "last_checked_at"]
    list_select_related = ["workspace"]
    search_fields = ["name", "base_url", "workspace__name"]
    ordering = ["id"]
    raw_id_fields = ["workspace"]
    readonly_fields = ["kind", "key", "private_allowed", "last_checked_at", "last_ok_at", "last_error", "created_at"]
    own = ["workspace", "name", "base_url", "new_key", "forget_key"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).annotate(models_count=Count("language_models"))

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        is_custom = obj is None or obj.kind == Provider.Kind.CUSTOM
        checked = ["last_checked_at", "last_ok_at", "last_error", "created_at"]
        about = [*self.own, "default_model", "enabled"] if is_custom else ["name", "default_model", "enabled"]
        return [(None, {"fields": about}), ("State", {"fields": ["kind", "key", "private_allowed", *checked]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> list[str]:
        is_built_in = obj is not None and obj.kind != Provider.Kind.CUSTOM
        return [*self.readonly_fields, *(["name", "workspace", "base_url"] if is_built_in else [])]

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        key = form.cleaned_data.get("new_key") or ("" if form.cleaned_data.get("forget_key") else None)
        key = key if obj.kind == Provider.Kind.CUSTOM else None
        save_provider(obj, author=cast(User, request.user), key=key)

    def has_delete_permission(self, request: HttpRequest, obj: Provider | None = None) -> bool:
        is_built_in = obj is not None and obj.kind != Provider.Kind.CUSTOM
        return super().has_delete_permission(request, obj) and not is_built_in

    @admin.display(description="Key")
    def key(self, provider: Provider) -> str:
        if provider.kind != Provider.Kind.CUSTOM:
            return "from the settings"
        if not provider.key_encrypted:
            return "none"
        return f"stored, ends in {provider.key_hint}" if provider.key_hint else "stored"

    @admin.display(description="State", ordering="last_error")
    def condition(self, provider: Provider) -> SafeString:
        if not provider.enabled:
            return state("off")
        if provider.last_error:
            return state("failed", excerpt(provider.last_error, 60))
        return state("ok") if provider.last_ok_at else state("idle", "Not tested")

    @admin.display(description="Models", ordering="models_count")
    def model_count(self, provider: Provider) -> SafeString | str:
        return rows_link(LanguageModel, provider.models_count, provider__id__exact=provider.pk)  # type: ignore[attr-defined]


@admin.register(LanguageModel)
class LanguageModelAdmin(ModelAdmin[LanguageModel]):
    """Prices are edited in the list: US dollars per million tokens; empty is unknown."""

    list_display = ["name", "provider", "context_window", "input_price", "cached_price", "output_price",
                    "supports_tools", "enabled"]  # fmt: skip
    list_editable = ["context_window", "input_price", "cached_price", "output_price", "supports_tools", "enabled"]
    list_filter = ["provider__kind", "supports_tools", "enabled"]
    list_select_related = ["provider"]
    list_per_page = 50
    search_fields = ["name", "provider__name"]
    ordering = ["provider_id", "name"]
    raw_id_fields = ["provider"]
