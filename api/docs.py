"""The readable pages of the API, made by this server from its own OpenAPI document: no script from elsewhere."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

from api.openapi import WAYS_TO_FAIL, document, document_text
from common.markdown import render_html


@dataclass(frozen=True)
class Field:
    """A parameter, or a property of a schema."""

    name: str
    type: str
    description: str
    required: bool
    place: str = ""
    schema: str = ""


@dataclass(frozen=True)
class Answer:
    """One way an operation can answer."""

    status: str
    description: str
    kinds: str
    type: str
    schema: str


@dataclass(frozen=True)
class OperationPage:
    """An operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    description: SafeString
    parameters: list[Field]
    body: list[Field]
    answers: list[Answer]
    failures: list[str]
    curl: str


@dataclass(frozen=True)
class Group:
    """The operations of one tag."""

    name: str
    operations: list[OperationPage] = field(default_factory=list)


def openapi_json(request: HttpRequest) -> HttpResponse:
    """The OpenAPI 3.1 document."""
    return HttpResponse(document_text(), content_type="application/json")


def docs(request: HttpRequest) -> HttpResponse:
    """Everything in the document, for people."""
    context = {
        "groups": groups(),
        "schemas": schemas(),
        "failures": WAYS_TO_FAIL,
        "origin": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "api/docs.html", context)


@functools.cache
def groups() -> list[Group]:
    """The operations by tag, in the order of the document."""
    found: dict[str, Group] = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            group = found.setdefault(operation["tags"][0], Group(operation["tags"][0]))
            group.operations.append(_operation(method.upper(), path, operation))
    return list(found.values())


@functools.cache
def schemas() -> list[tuple[str, str, list[Field]]]:
    """Every schema: name, description, fields."""
    named = sorted(document()["components"]["schemas"].items())
    return [(name, schema.get("description", ""), _properties(schema)) for name, schema in named]


def _operation(method: str, path: str, operation: dict[str, Any]) -> OperationPage:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    schema = _resolved(body) if body else {}
    responses = operation["responses"]
    return OperationPage(
        id=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        description=render_html(operation.get("description", "")),
        parameters=[_parameter(parameter) for parameter in operation["parameters"]],
        body=_properties(schema),
        answers=[_answer(status, response) for status, response in responses.items() if status < "400"],
        failures=[status for status in responses if status >= "400"],
        curl=_curl(method, path, schema),
    )


def _parameter(parameter: dict[str, Any]) -> Field:
    schema = parameter["schema"]
    return Field(
        parameter["name"], _type(schema), schema.get("description", ""), parameter["required"], parameter["in"]
    )


def _properties(schema: dict[str, Any]) -> list[Field]:
    required = set(schema.get("required", []))
    return [
        Field(name, _type(part), part.get("description", ""), name in required, schema=_name(part))
        for name, part in schema.get("properties", {}).items()
    ]


def _answer(status: str, response: dict[str, Any]) -> Answer:
    content = response.get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return Answer(status, response["description"], ", ".join(content), _type(schema) if schema else "", _name(schema))


def _name(schema: dict[str, Any]) -> str:
    """The name of the schema that this one is, or holds; empty when it is a plain value."""
    for part in [schema, schema.get("items", {}), *schema.get("anyOf", [])]:
        if "$ref" in part:
            return str(part["$ref"]).rpartition("/")[2]
    return ""


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if name := _name(schema):
        resolved: dict[str, Any] = document()["components"]["schemas"][name]
        return resolved
    return schema


def _type(schema: dict[str, Any]) -> str:
    """A schema's type in a few words: ``integer, 1 to 200`` or ``list of string``."""
    if "$ref" in schema:
        return _name(schema)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(part) for part in schema["anyOf"]))
    if choices := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return " | ".join(json.dumps(choice) for choice in choices)
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    name = "time" if schema.get("format") == "date-time" else str(schema.get("type", "anything"))
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high < 2**53:
        return f"{name}, {low:,} to {high:,}"
    return f"{name}, up to {schema['maxLength']:,} characters" if "maxLength" in schema else name


EXAMPLES: dict[str, Any] = {
    "format": "zerg-thread",
    "messages": [],
    "name": "Scout",
    "title": "Morning news",
    "content": "What is new?",
    "agent_id": 1,
    "expression": "0 7 * * 1-5",
    "prompt": "Look at what came in: {{payload}}",
    "input": "What is new?",
    "enabled": False,
}


def _curl(method: str, path: str, schema: dict[str, Any]) -> str:
    """A command to copy; the shell's ``ZERG`` holds the address of this server."""
    verb = "" if method == "GET" else f"-X {method} "
    lines = [f'curl {verb}"$ZERG{_with_ids(path)}"', '-H "Authorization: Bearer $TOKEN"']
    if schema:
        names = [name for name in schema["properties"] if name in schema.get("required", [])]
        names = names or [name for name in schema["properties"] if name in EXAMPLES][:1]
        body = json.dumps({name: EXAMPLES[name] for name in names})
        lines += ['-H "Content-Type: application/json"', f"-d '{body}'"]
    return " \\\n  ".join(lines)


def _with_ids(path: str) -> str:
    return "/".join("1" if part.startswith("{") else part for part in path.split("/"))
