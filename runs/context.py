"""What every page shows of a person's runs."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from runs.notices import Inbox, inbox_of


def inbox(request: HttpRequest) -> dict[str, Any]:
    """``inbox``: read from the database by the first template that says something of it."""

    def look() -> Inbox:
        user = getattr(request, "user", None)
        return inbox_of(cast(User, user)) if getattr(user, "is_authenticated", False) else Inbox()

    return {"inbox": SimpleLazyObject(look)}
