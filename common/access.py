"""The base of every manager: views, sockets and the API reach rows through ``for_user`` and in no other way."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.db import models

from common.errors import not_found

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
        row = self.for_user(user).filter(pk=pk).first() if 0 < pk < 2**63 else None
        if row is None:
            raise not_found(str(self.model._meta.verbose_name).capitalize())
        return row
