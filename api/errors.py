"""Every answer that is an error has the same body: ``{"error": {"code", "message", "fields"}}``."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelInvalid
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from common.errors import ZergError

log = logging.getLogger(__name__)


def error(status: int, code: str, message: str, fields: Mapping[str, str] | None = None) -> JsonResponse:
    """The answer for an error; ``fields`` maps the name of an input to what is wrong with it."""
    response = JsonResponse({"error": {"code": code, "message": message, "fields": dict(fields or {})}}, status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Zerg"'
    return response


def expected(exception: ZergError) -> JsonResponse:
    return error(exception.status, exception.code, exception.message, exception.fields)


def no_such_address(request: HttpRequest) -> HttpResponse:
    """The answer under /api/ where no operation is."""
    return error(404, "not_found", "There is nothing at this address. The operations are listed at /api/docs.")


def invalid(exception: ModelInvalid) -> ZergError:
    """What a model's own validators refused, as an error with its fields."""
    if not hasattr(exception, "error_dict"):
        return ZergError("invalid", " ".join(exception.messages))
    fields = {name: " ".join(messages) for name, messages in exception.message_dict.items()}
    return ZergError("invalid", _sentence(fields), fields)


def _sentence(fields: Mapping[str, str]) -> str:
    return "Not accepted: " + "; ".join(f"{name}: {text}" for name, text in list(fields.items())[:3])


def _invalid_input(request: HttpRequest, exception: ValidationError) -> HttpResponse:
    fields: dict[str, str] = {}
    for problem in exception.errors:
        # ("body", <name of our parameter>, "title") or ("query", "limit"): people know the last part only.
        place = problem["loc"][2:] if problem["loc"][0] == "body" else problem["loc"][1:]
        name = ".".join(str(part) for part in place) or "body"
        # The framework's own words for a body that is no object, or is missing, name our classes and parameters.
        fields.setdefault(name, "Send a JSON object" if name == "body" else str(problem["msg"]))
    return error(422, "invalid", _sentence(fields), fields)


def _unreadable(request: HttpRequest, exception: HttpError) -> HttpResponse:
    if isinstance(exception.__cause__, ZergError):  # raised by our parser, wrapped by the framework
        return _zerg_error(request, exception.__cause__)
    if exception.status_code == 401:
        return error(401, "not_signed_in", "Sign in, or send a token: “Authorization: Bearer <token>”.")
    return error(exception.status_code, "bad_request", exception.message)


def _zerg_error(request: HttpRequest, exception: ZergError) -> HttpResponse:
    return error(400, exception.code, exception.message) if exception.code == "invalid_json" else expected(exception)


def _no_json(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A form, which was read as one to find its CSRF token; or the caller hung up in the middle."""
    return error(400, "invalid_json", "The body is no JSON. Send “Content-Type: application/json”.")


def _bug(request: HttpRequest, exception: Exception) -> HttpResponse:
    reference = secrets.token_hex(4)
    log.error("Reference %s: %s %s failed", reference, request.method, request.path, exc_info=exception)
    return error(500, "internal_error", f"Something went wrong in Zerg. The log has it under reference {reference}.")


def add_error_handlers(api: NinjaAPI) -> None:
    """Gives every kind of exception its answer."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        ZergError: _zerg_error,
        ValidationError: _invalid_input,
        ModelInvalid: lambda request, exception: expected(invalid(exception)),
        HttpError: _unreadable,
        Http404: lambda request, exception: no_such_address(request),
        RequestDataTooBig: lambda request, exception: error(413, "too_large", "The body is too large: at most 2 MiB."),
        RawPostDataException: _no_json,
        UnreadablePostError: _no_json,
        SuspiciousOperation: lambda request, exception: error(400, "bad_request", "The request is malformed."),
        Exception: _bug,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
