"""How an operation answers: an object, a page of a list, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse, JsonResponse

from api.schemas import Page

M = TypeVar("M", bound=Model)


def answer(data: dict[str, Any], status: int = 200) -> HttpResponse:
    return JsonResponse(data, status=status)


def nothing() -> HttpResponse:
    """204: done, and there is nothing to show."""
    return HttpResponse(status=204)


def listed(rows: QuerySet[M] | Sequence[M], page: Page, to_json: Callable[[M], dict[str, Any]]) -> HttpResponse:
    """One page of an ordered list as an array; how many there are in all is in ``X-Total-Count``."""
    total = rows.count() if isinstance(rows, QuerySet) else len(rows)
    part = rows[page.skip : page.skip + page.limit]
    return JsonResponse([to_json(row) for row in part], safe=False, headers={"X-Total-Count": str(total)})
