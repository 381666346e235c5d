"""The base of every manager: views, sockets and the API reach rows through ``for_user`` and in no other way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

from django.db import models

from common.errors import not_found
from common.prepared import prepared

M = TypeVar("M", bound=models.Model)


class OwnedQuerySet(models.QuerySet[M]):
    """Knows whose rows are whose: each model says it in its ``visible_to(user)``."""

    def for_user(self, user: Any) -> Self:
        """The rows that ``user`` may see and act on now; none for an anonymous or disabled user."""
        if not getattr(user, "is_active", False):
            return self.none()
        # No row comes twice: a person has one membership in a workspace.
        return self.filter(self.model.visible_to(user))  # type: ignore[attr-defined]

    def get_for(self, user: Any, pk: int) -> M:
        """One row by id. Raises ZergError(``not_found``) alike for a missing row and for a stranger's."""
        row = self._of(user, pk) if 0 < pk < 2**63 else None
        if row is None:
            raise not_found(str(self.model._meta.verbose_name).capitalize())
        return row

    def _of(self, user: Any, pk: int) -> M | None:
        query = self.query
        is_narrowed = query.where or query.annotations or query.deferred_loading[0]
        if is_narrowed or self._prefetch_related_lookups:  # type: ignore[attr-defined]
            return self.for_user(user).filter(pk=pk).first()
        if not getattr(user, "is_active", False):
            return None
        return next(iter(_rows_by_id(self.all())(user.pk, pk)), None)


_made: dict[tuple[type[models.Model], str], Callable[..., list[Any]]] = {}


def _rows_by_id(rows: models.QuerySet[M]) -> Callable[..., list[M]]:
    """The row with an id, of those a person may see: nearly each request begins with this query."""
    model: Any = rows.model
    key = (rows.model, repr(rows.query.select_related))
    if key not in _made:

        @prepared
        def visible(user_id: Any, pk: Any) -> models.QuerySet[M]:
            return rows.filter(model.visible_to(user_id), pk=pk)

        _made[key] = visible
    return _made[key]
