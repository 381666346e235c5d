"""Everything under /api/. Paths carry no trailing slash: a middleware takes it off before they are matched."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from api.api import api
from api.docs import docs, openapi_json
from api.errors import error, no_such_address

View = Callable[..., HttpResponseBase]


def with_manners(view: View) -> View:
    """HEAD is answered as GET is, and a wrong method with JSON."""

    @functools.wraps(view)  # takes csrf_exempt along: the authenticator checks it, for sessions only
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = request.method
        request.method = "GET" if method == "HEAD" else method  # whoever sends the answer leaves the body out
        try:
            response = view(request, *args, **kwargs)
        finally:
            request.method = method
        if response.status_code != 405:
            return response
        allowed = response["Allow"]
        refusal = error(405, "method_not_allowed", f"This address takes {allowed}.")
        refusal["Allow"] = allowed
        return refusal

    return wrapper


def _operations() -> list[URLPattern]:
    found = []
    for pattern in api.urls[0]:
        if isinstance(pattern, URLPattern) and pattern.name != "api-root":
            pattern.callback = with_manners(pattern.callback)
            found.append(pattern)
    return found


pages = [
    path("docs", require_safe(docs), name="docs"),
    path("openapi.json", require_safe(openapi_json), name="openapi"),
]
urlpatterns = [
    path("api/", include(([*_operations(), *pages], "api"))),
    re_path(r"^(?:api|v1|hooks)(?:/.*)?$", csrf_exempt(no_such_address)),
]
