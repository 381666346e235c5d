"""The check before the model: a schedule that watches an address runs only when there is something new. No token is
spent to find out."""

from triggers.watching.settings import validate, watch_of

__all__ = ["validate", "watch_of"]
