"""People, workspaces and tokens in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangosUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import ApiToken, Membership, User, Workspace
from accounts.services import make_sign_in_link, revoke_token
from common.admin import DeletesByCount, ModelAdmin, TabularInline, rows_link, state

if TYPE_CHECKING:
    NewUserForm = AdminUserCreationForm[User]
    UserForm = UserChangeForm[User]
    PeopleAdmin = DjangosUserAdmin[User]
else:
    NewUserForm, UserForm, PeopleAdmin = AdminUserCreationForm, UserChangeForm, DjangosUserAdmin


def _unused_email(email: str, person: User) -> str:
    email = email.lower()
    same = User.objects.filter(email__iexact=email)
    if (same.exclude(pk=person.pk) if person.pk else same).exists():
        raise ValidationError("Somebody has this e-mail address already.")
    return email


class CreationForm(NewUserForm):
    class Meta:
        model = User
        fields = ("email", "name")
        field_classes: dict[str, Any] = {}

    def clean_email(self) -> str:
        return _unused_email(self.cleaned_data["email"], self.instance)


class ChangeForm(UserForm):
    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, Any] = {}

    def clean_email(self) -> str:
        return _unused_email(self.cleaned_data["email"], self.instance)

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if name not in available_timezones():
            raise ValidationError(f"There is no time zone “{name}”. Use a name such as Europe/Berlin.")
        return name


class MembershipOfUser(TabularInline[Membership, User]):
    model = Membership
    fk_name = "user"
    extra = 0
    raw_id_fields = ["workspace"]


class MembershipOfWorkspace(TabularInline[Membership, Workspace]):
    model = Membership
    fk_name = "workspace"
    extra = 0
    raw_id_fields = ["user"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "workspace")


@admin.register(User)
class UserAdmin(DeletesByCount[User], PeopleAdmin):
    """A new person gets a workspace. Whoever should not come in any more is switched off: that keeps their threads."""

    form = ChangeForm
    add_form = CreationForm
    list_display = ["email", "name", "signs_in", "is_staff", "workspaces", "last_login", "date_joined"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    search_fields = ["email", "name"]
    ordering = ["email"]
    date_hierarchy = "date_joined"
    inlines = [MembershipOfUser]
    actions = ["switch_off", "switch_on", "give_sign_in_link"]
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "name", "password"]}),
        ("Preferences", {"fields": ["timezone", "theme", "density", "reading", "aloud", "single_keys"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).annotate(membership_count=Count("memberships"))

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[Any]:
        return [] if obj is None else list(self.inlines)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            obj.give_workspace()

    def goes_too(self, rows: QuerySet[User]) -> dict[str, int]:
        # One at a time: counted in one query, they would multiply each other.
        names = {"threads with their messages and runs": "threads", "schedules": "schedules"}
        return {words: rows.aggregate(number=Count(name))["number"] for words, name in names.items()}

    def in_the_way(self, rows: QuerySet[User]) -> list[str]:
        busy = rows.filter(threads__runs__status__in=["queued", "running", "waiting"]).distinct()
        return [f"{user} has runs that have not ended. Stop them first." for user in busy]

    @admin.display(description="Signs in", ordering="is_active")
    def signs_in(self, user: User) -> SafeString:
        return state("ok", "Yes") if user.is_active else state("off")

    @admin.display(description="Workspaces", ordering="membership_count")
    def workspaces(self, user: User) -> SafeString | str:
        return rows_link(Workspace, user.membership_count, memberships__user__id__exact=user.pk)  # type: ignore[attr-defined]

    @admin.action(description="Switch off: they cannot sign in, and nothing runs for them", permissions=["change"])
    def switch_off(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        number = rows.exclude(email=request.user.get_username()).update(is_active=False)
        self.message_user(request, f"{number} switched off.")

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        self.message_user(request, f"{rows.update(is_active=True)} switched on.")

    @admin.action(description="Make a sign-in link for one person", permissions=["link"])
    def give_sign_in_link(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        people = list(rows[:2])
        if len(people) != 1 or not people[0].is_active:
            self.message_user(request, "Choose one person who is switched on.", messages.ERROR)
            return
        link = request.build_absolute_uri(make_sign_in_link(people[0]))
        words = format_html("It signs {} in once, within 24 hours: <code>{}</code>", people[0], link)
        self.message_user(request, words, messages.WARNING)
        self.log_change(request, people[0], "Made a sign-in link.")

    def has_link_permission(self, request: HttpRequest) -> bool:
        """A link lets its bearer act as the person: only who may do everything already makes one."""
        return bool(request.user.is_superuser)


@admin.register(Workspace)
class WorkspaceAdmin(DeletesByCount[Workspace]):
    list_display = ["name", "people", "agent_count", "created_at"]
    search_fields = ["name", "memberships__user__email"]
    ordering = ["-id"]
    date_hierarchy = "created_at"
    readonly_fields = ["created_at"]
    inlines = [MembershipOfWorkspace]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workspace]:
        workspaces = super().get_queryset(request)
        agents = Workspace.objects.filter(pk=OuterRef("pk")).annotate(number=Count("agents")).values("number")
        return workspaces.annotate(people_count=Count("memberships"), agents_count=Subquery(agents))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "memberships__user__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def in_the_way(self, rows: QuerySet[Workspace]) -> list[str]:
        return [f"{workspace} has agents. Delete them first." for workspace in rows.filter(agents__gt=0).distinct()]

    @admin.display(description="People", ordering="people_count")
    def people(self, workspace: Workspace) -> int:
        return int(workspace.people_count)  # type: ignore[attr-defined]

    @admin.display(description="Agents", ordering="agents_count")
    def agent_count(self, workspace: Workspace) -> int:
        return int(workspace.agents_count)  # type: ignore[attr-defined]


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin[ApiToken]):
    """Tokens are made by their people, who alone see them; here they are found and revoked."""

    list_display = ["name", "user", "hint", "works", "created_at", "last_used_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["name", "hint", "user__email"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    actions = ["revoke"]
    fields = ["name", "user", "hint", "scopes", "created_at", "last_used_at", "revoked_at"]
    readonly_fields = ["user", "hint", "scopes", "created_at", "last_used_at", "revoked_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description="Works", ordering="revoked_at")
    def works(self, token: ApiToken) -> SafeString:
        return state("ok", "Yes") if token.revoked_at is None else state("off", "Revoked")

    @admin.action(description="Revoke: they stop working at once, for good", permissions=["change"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiToken]) -> None:
        live = list(rows.filter(revoked_at=None))
        for token in live:
            revoke_token(token)
            self.log_change(request, token, "Revoked.")
        self.message_user(request, f"{len(live)} revoked.")
