"""The answer to a form that was done."""

from __future__ import annotations

from django.http import HttpResponseRedirect
from django.shortcuts import resolve_url


def see_other(to: str, *args: object) -> HttpResponseRedirect:
    """303 to a path or a named address: the browser gets the next page, and a reload does not post again."""
    return HttpResponseRedirect(resolve_url(to, *args), status=303)
