"""What every page shows of a person's runs."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from runs.rail import Rail, rail_of


def rail(request: HttpRequest) -> dict[str, Any]:
    """``rail`` and its ``inbox``: read from the database by the first template that says something of them."""

    def look() -> Rail:
        user = getattr(request, "user", None)
        return rail_of(cast(User, user)) if getattr(user, "is_authenticated", False) else Rail()

    found = SimpleLazyObject(look)
    return {"rail": found, "inbox": SimpleLazyObject(lambda: found.inbox)}
