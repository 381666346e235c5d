"""What a signed-in person's settings change on every page."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.zones import zone_of


def own_timezone(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Pages show times in the person's zone."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/hooks/"):  # whoever is signed in there: no session is read
            return get_response(request)
        with timezone.override(zone_of(getattr(request.user, "timezone", "UTC"))):
            return get_response(request)

    return middleware
