"""Long lists in stretches, without counting them: a list of a million rows costs as much as one of fifty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property

from common.crypto import digest

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
else:
    # Django's own class takes no type argument.
    AnyPaginator = Paginator

M = TypeVar("M", bound=Model)
N = TypeVar("N", bound=Model)
PLACES = ("before", "after", "page")
COUNTED = 10_000
RECOUNTED_EVERY = 60
"""Seconds."""


@dataclass(frozen=True)
class Stretch(Generic[M]):
    """Some rows of a list; ``newer`` and ``older`` are the query strings of those beside it, empty at the ends.

    ``start`` counts the first row from 1 where the list is numbered.
    """

    object_list: Sequence[M]
    newer: str
    older: str
    start: int = 1

    def with_rows(self, read: Callable[[list[Any]], Sequence[N]]) -> Stretch[N]:
        """The same stretch of other rows: of what ``read`` gives for the ids of these."""
        return replace(self, object_list=read([row.pk for row in self.object_list]))  # type: ignore[arg-type, return-value]


def stretch(rows: QuerySet[M], asked: QueryDict, size: int, *, by: str = "") -> Stretch[M]:
    """The newest ``size`` rows, or those ``before`` or ``after`` a place in the list that ``asked`` names.

    The order is by id, or by the time in the field ``by`` and then by id. A place that cannot be read is the beginning.
    """
    order = [by, "pk"] if by else ["pk"]
    after, before = _place(asked.get("after"), by), _place(asked.get("before"), by)
    if after:
        found = list(rows.filter(_beyond(after, by, "gt")).order_by(*order)[: size + 1])
        has_newer, has_older = len(found) > size, True
        found = found[:size][::-1]
    else:
        older = rows.filter(_beyond(before, by, "lt")) if before else rows
        found = list(older.order_by(*(f"-{name}" for name in order))[: size + 1])
        has_newer, has_older = before is not None, len(found) > size
        found = found[:size]
    return Stretch(
        found,
        _query(asked, after=_name(found[0], by)) if found and has_newer else "",
        _query(asked, before=_name(found[-1], by)) if found and has_older else "",
    )


def numbered(rows: QuerySet[M], asked: QueryDict, size: int) -> Stretch[M]:
    """The page whose number ``asked`` names, of a list in an order of its own that is not too long to be skipped in."""
    text = asked.get("page", "")
    number = max(1, int(text)) if text.isdecimal() and len(text) < 6 else 1
    start = (number - 1) * size
    found = list(rows[start : start + size + 1])
    newer = _query(asked, page=number - 1) if number > 1 else ""
    return Stretch(found[:size], newer, _query(asked, page=number + 1) if len(found) > size else "", start + 1)


def total(rows: QuerySet[Any]) -> int:
    """How many rows there are. Of more than COUNTED it may be what was counted up to a minute ago."""
    rows = rows.order_by().values("pk")  # without what is only shown
    found = rows[: COUNTED + 1].count()
    if found <= COUNTED:
        return found
    key = f"total:{digest(str(rows.query))}"
    return int(cache.get_or_set(key, rows.count, RECOUNTED_EVERY) or 0)


class QuickPaginator(AnyPaginator):
    """Django's own, for lists of the admin that may be long."""

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return total(self.object_list)


Place = tuple[datetime | None, int]


def _place(text: str | None, by: str) -> Place | None:
    """``2026-03-27T12:00:00.123456+00:00_417``, or ``417`` in a list by id alone."""
    moment_text, _, id_text = (text or "").rpartition("_")
    if not (id_text.isdecimal() and len(id_text) < 19):
        return None
    try:
        moment = parse_datetime(moment_text) if by else None
    except ValueError:
        return None
    return None if by and (moment is None or moment.tzinfo is None) else (moment, int(id_text))


def _name(row: Model, by: str) -> str:
    return f"{getattr(row, by).isoformat()}_{row.pk}" if by else str(row.pk)


def _beyond(place: Place, by: str, side: str) -> Q:
    moment, pk = place
    if not by:
        return Q(**{f"pk__{side}": pk})
    # The first condition says nothing new; without it no database begins its index at the place.
    return Q(**{f"{by}__{side}e": moment}) & (Q(**{f"{by}__{side}": moment}) | Q(**{f"pk__{side}": pk}))


def _query(asked: QueryDict, **place: object) -> str:
    query = asked.copy()
    for name in PLACES:
        query.pop(name, None)
    for name, value in place.items():
        query[name] = str(value)
    return f"?{query.urlencode()}"
