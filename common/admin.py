"""What the pages of the admin have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import BaseForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.errors import ZergError
from common.paging import QuickPaginator
from common.templatetags.zerg import STATES

M = TypeVar("M", bound=Model)
NEWEST = 20
"""So many rows of a long history are shown beside what they belong to; the rest is in a list of its own."""

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
else:
    # Django's own classes take no type argument.
    class ModelAdmin(admin.ModelAdmin):
        def __class_getitem__(cls, _model: object) -> type:
            return cls

    class TabularInline(admin.TabularInline):
        def __class_getitem__(cls, _model: object) -> type:
            return cls


class HistoryAdmin(ModelAdmin[M]):
    """Rows that tell what happened: to be read. They go only together with what they belong to."""

    actions: Any = None
    paginator = QuickPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return _may(request, self, "view") or _may(request, self, "change")


class HistoryInline(TabularInline[M, Model]):
    """The newest rows of a history, below what they belong to."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = True
    columns: Sequence[str] = ()
    heavy: Sequence[str] = ()
    """Long texts that the rows do not show, and that are not read for them."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return list(self.columns)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return list(self.columns)

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = super().get_queryset(request).defer(*self.heavy)
        match = request.resolver_match
        owner = match.kwargs.get("object_id", "") if match else ""
        if not str(owner).isdecimal() or self.fk_name is None:
            return rows.none()
        newest = rows.filter(**{self.fk_name: int(owner)}).order_by("-pk").values_list("pk", flat=True)[:NEWEST]
        return rows.filter(pk__in=list(newest)).order_by("-pk")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DeletesByCount(ModelAdmin[M]):
    """Says before deleting how much goes, in numbers: a list of every row would be as long as the history."""

    paginator = QuickPaginator
    show_full_result_count = False

    def goes_too(self, rows: QuerySet[M]) -> dict[str, int]:
        """``{"threads": 12}``: what goes with ``rows``."""
        return {}

    def in_the_way(self, rows: QuerySet[M]) -> list[str]:
        """Why ``rows`` cannot go now, in sentences."""
        return []

    def get_deleted_objects(
        self, objs: QuerySet[M] | Sequence[M], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        model = self.model
        rows: QuerySet[M] = model._default_manager.filter(pk__in=[row.pk for row in objs])
        counts = {words: number for words, number in self.goes_too(rows).items() if number}
        listed: list[Any] = [str(row) for row in rows]
        if counts:
            listed.append([f"{number:,} {words}" for words, number in counts.items()])
        counts = {str(model._meta.verbose_name_plural): len(rows), **counts}
        needed = set() if self.has_delete_permission(request) else {str(model._meta.verbose_name)}
        return listed, counts, needed, self.in_the_way(rows)


def how_many(model: type[Model], name: str) -> Coalesce:
    """For a list: how many rows of ``model`` refer to each of its rows by the field ``name``."""
    rows = model._default_manager.filter(**{name: OuterRef("pk")}).order_by().values(name)
    return Coalesce(Subquery(rows.annotate(number=Count("pk")).values("number")), 0)


def _may(request: HttpRequest, page: admin.ModelAdmin[Any], act: str) -> bool:
    return bool(request.user.has_perm(f"{page.opts.app_label}.{act}_{page.opts.model_name}"))


def state(status: str, words: str = "") -> SafeString:
    """A status as the word and shape that the product's own pages use."""
    shape, usual = STATES.get(status, ("idle", status.capitalize()))
    return format_html('<span class="pill" data-state="{}">{}</span>', shape, words or usual)


def rows_link(model: type[Model], number: int | None, words: str = "", **filters: object) -> SafeString | str:
    """A count that leads to the list of what was counted."""
    if not number:
        return "–"
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return format_html('<a href="{}?{}">{}{}</a>', page, query, f"{number:,}", f" {words}" if words else "")


def excerpt(text: str, length: int = 80) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def show_refusal(form: BaseForm, error: ZergError) -> None:
    """Puts an expected error at the fields that it names, else above the form."""
    known = {name: words for name, words in error.fields.items() if name in form.fields}
    for name, words in known.items():
        form.add_error(name, ValidationError(words))
    if not known:
        form.add_error(None, ValidationError(error.message))


def each(rows: Iterable[M], act: Callable[[M], object]) -> tuple[int, list[str]]:
    """Does ``act`` to each row: how many went well, and why the others did not, in sentences."""
    done, refusals = 0, []
    for row in rows:
        try:
            act(row)
        except ZergError as error:
            refusals.append(f"{row}: {error.message}")
        else:
            done += 1
    return done, refusals
