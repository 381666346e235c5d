"""Manners that hold on every address."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from common.errors import ZergError

Handler = Callable[[HttpRequest], HttpResponse]
PROGRAMS = ("/api/", "/hooks/", "/v1/")


class compressed_pages(GZipMiddleware):
    """Pages travel compressed; what streams leaves piece by piece, as it is."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return response if response.streaming else super().process_response(request, response)


def api_trailing_slash(get_response: Handler) -> Handler:
    """Programs' addresses work with and without a trailing slash."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(PROGRAMS) and request.path_info.endswith("/"):
            request.path_info = request.path_info.rstrip("/")
        return get_response(request)

    return middleware


def htmx_manners(get_response: Handler) -> Handler:
    """A signed-out htmx request gets a 401 that the page can act on, not a sign-in page inside a card."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        is_redirect_to_sign_in = response.status_code == 302 and response["Location"].startswith("/sign-in/")
        if getattr(request, "htmx", False) and is_redirect_to_sign_in:
            return HttpResponse(status=401, headers={"HX-Trigger": "zerg:signedout", "Cache-Control": "no-store"})
        return response

    return middleware


class expected_errors:
    """Turns a ZergError into its answer: JSON for programs, a page for people."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, ZergError):
            return None
        if request.path_info.startswith(PROGRAMS) or request.headers.get("Accept") == "application/json":
            return JsonResponse(exception.as_json(), status=exception.status)
        template = "404.html" if exception.status == 404 else "400.html"
        return render(request, template, {"error": exception}, status=exception.status)
