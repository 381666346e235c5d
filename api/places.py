"""Where things made over the API belong."""

from __future__ import annotations

from accounts.models import User, Workspace


def first_workspace(user: User) -> Workspace:
    """The first workspace that the person joined; their own, made now, if there is none."""
    first = user.memberships.select_related("workspace").order_by("pk").first()
    return first.workspace if first else user.give_workspace()
