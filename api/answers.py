"""How an operation answers: an object, a page of a list, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse, JsonResponse

from api.schemas import Page
from common.paging import total

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def answer(data: dict[str, Any], status: int = 200) -> HttpResponse:
    return JsonResponse(data, status=status)


def nothing() -> HttpResponse:
    """204: done, and there is nothing to show."""
    return HttpResponse(status=204)


def listed(rows: QuerySet[M] | Sequence[M], page: Page, to_json: Callable[[M], dict[str, Any]]) -> HttpResponse:
    """One page of an ordered list as an array; how many there are in all is in ``X-Total-Count``."""
    part = list(rows[page.skip : page.skip + page.limit])
    return part_of_list(part, _total(rows, page, len(part)), to_json)


def _total(rows: QuerySet[M] | Sequence[M], page: Page, got: int) -> int:
    if not isinstance(rows, QuerySet):
        return len(rows)
    # A page that is not full is the last one.
    is_last = got < page.limit and (got or not page.skip)
    return page.skip + got if is_last else max(total(rows), page.skip + got)


def part_of_list(part: Sequence[T], in_all: int, to_json: Callable[[T], dict[str, Any]]) -> HttpResponse:
    """Rows of a list that has ``in_all``."""
    return JsonResponse([to_json(row) for row in part], safe=False, headers={"X-Total-Count": str(in_all)})
