"""The OpenAPI 3.1 document: the framework's, with our credentials, scopes and errors."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from django.conf import settings
from ninja.openapi.schema import REF_TEMPLATE, OpenAPISchema
from ninja.operation import Operation
from ninja.schema import NinjaGenerateJsonSchema

from api import shapes
from api.auth import Needs

CREDENTIALS = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, from the settings pages or `./zerg manage create_token`. Each has its scopes.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "The browser's session.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": "Needed with a session for every method that changes something.",
    },
}
WAYS_TO_FAIL = {
    400: "The body is no valid JSON",
    401: "No credential, or a wrong one",
    403: "The token lacks a scope, or the CSRF token is missing",
    404: "Missing, or somebody else's",
    409: "Not while things stand as they do",
    413: "Too large",
    422: "An input is refused; fields says which",
}
STREAMED = {
    "text/plain": {"schema": {"type": "string", "description": "The reply's text, as it is written."}},
    "text/event-stream": {"schema": {"type": "string", "description": "The frames of the socket, as events."}},
}
TOTAL = {"X-Total-Count": {"description": "How many there are in all.", "schema": {"type": "integer"}}}


class Document(OpenAPISchema):
    """Adds what the framework does not know about our operations."""

    def operation_details(self, operation: Operation) -> dict[str, Any]:
        details: dict[str, Any] = super().operation_details(operation)
        # As text, because the document is JSON, and its order is the order in which they are read.
        details["responses"] = {str(status): details["responses"][status] for status in sorted(details["responses"])}
        needs = _needs(operation)
        always, maybe = (" and ".join(f"`{scope}`" for scope in scopes) for scopes in (needs.scopes, needs.maybe))
        parts = [f"the scope {always}"] * bool(always) + [f"depending on what is sent {maybe}"] * bool(maybe)
        details["description"] = f"{details.get('description', '')}\n\nNeeds {', and '.join(parts)}.".strip()
        return details

    def operation_security(self, operation: Operation) -> list[dict[str, Any]] | None:
        self.securitySchemes.update(CREDENTIALS)
        session: dict[str, Any] = {"session": []}
        if set(operation.methods) - {"GET", "HEAD"}:
            session["csrf"] = []
        return [{"token": list(_needs(operation).scopes)}, session]

    def responses(self, operation: Operation) -> dict[int, dict[str, Any]]:
        found = super().responses(operation)
        for status, text in _descriptions(operation).items():
            found[status]["description"] = text
        schema = found.get(200, {}).get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("type") == "array":
            found[200]["headers"] = TOTAL
        if operation.path.endswith("/messages"):
            self._add_streams(operation, found)
        for status in self._failures(operation):
            found[status] = {"description": WAYS_TO_FAIL[status], "content": {"application/json": {"schema": ERROR}}}
        return found

    def _add_streams(self, operation: Operation, found: dict[int, dict[str, Any]]) -> None:
        if "POST" in operation.methods:
            found[200] = {"description": "Streamed, when Accept asks for it", "content": STREAMED}
        elif operation.path.startswith("/threads"):
            found[200]["content"]["text/event-stream"] = STREAMED["text/event-stream"]

    def _failures(self, operation: Operation) -> list[int]:
        has_body = bool(self.request_body(operation) or operation.openapi_extra)
        changes = set(operation.methods) - {"GET"}
        named = "{" in operation.path or has_body
        return [401, 403, 422, *[400, 413] * has_body, *[404] * named, *[409] * bool(changes)]


ERROR = {"$ref": REF_TEMPLATE.format(model="Error")}


def _needs(operation: Operation) -> Needs:
    """The authenticator of an operation; each has exactly one."""
    (needs,) = operation.auth_callbacks
    assert isinstance(needs, Needs)
    return needs


def _descriptions(operation: Operation) -> dict[int, str]:
    texts = {200: "As asked for", 201: "Made", 202: "Started", 204: "Done"}
    return {status: texts[status] for status in operation.response_models}


@functools.cache
def document() -> dict[str, Any]:
    """The whole document. The same object each time: do not change it."""
    from api.api import api  # the operations, which need no document

    found = Document(api, path_prefix="/api/")
    error = shapes.Error.model_json_schema(ref_template=REF_TEMPLATE, schema_generator=NinjaGenerateJsonSchema)
    found["components"]["schemas"] |= error.pop("$defs") | {"Error": error}
    # Query parameters are listed one by one; the framework lists what groups them too.
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(found)))
    found["components"]["schemas"] = {
        name: part for name, part in found["components"]["schemas"].items() if name in used
    }
    found["servers"] = [{"url": "/"}]
    return dict(found)


@functools.cache
def document_text() -> str:
    return json.dumps(document(), ensure_ascii=False)
