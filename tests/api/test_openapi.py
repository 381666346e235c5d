"""The OpenAPI document and the pages made from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.api.conftest import read
from tests.api.test_access import operations

CONTRACT = {
    "/api/agents": {"get", "post"},
    "/api/agents/{agent_id}": {"get", "put", "patch", "delete"},
    "/api/agents/{agent_id}/messages": {"get", "post"},
    "/api/agents/{agent_id}/run": {"post"},
    "/api/threads": {"get", "post"},
    "/api/threads/{thread_id}": {"get", "put", "patch", "delete"},
    "/api/threads/{thread_id}/messages": {"get", "post"},
    "/api/threads/{thread_id}/export": {"get"},
    "/api/threads/import": {"post"},
    "/api/threads/{thread_id}/runs": {"get", "post"},
    "/api/runs": {"get"},
    "/api/runs/{run_id}": {"get"},
    "/api/runs/{run_id}/cancel": {"post"},
    "/api/runs/{run_id}/retry": {"post"},
    "/api/runs/{run_id}/mark-done": {"post"},
    "/api/threads/{thread_id}/messages/{message_id}": {"patch", "delete"},
    "/api/threads/{thread_id}/messages/{message_id}/send-now": {"post"},
    "/api/schedules": {"get", "post"},
    "/api/schedules/{schedule_id}": {"get", "put", "patch", "delete"},
    "/api/schedules/preview": {"post"},
    "/api/schedules/{schedule_id}/run": {"post"},
    "/api/schedules/{schedule_id}/occurrences": {"get"},
    "/api/webhooks": {"get", "post"},
    "/api/webhooks/{webhook_id}": {"get", "put", "patch", "delete"},
    "/api/webhooks/{webhook_id}/rotate": {"post"},
    "/api/webhooks/{webhook_id}/test": {"post"},
    "/api/webhooks/{webhook_id}/deliveries": {"get"},
    "/api/webhooks/{webhook_id}/deliveries/{delivery_id}": {"get"},
    "/api/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": {"post"},
    "/api/search": {"get"},
    "/api/models": {"get"},
}


@pytest.fixture
def document(db: None) -> dict[str, Any]:
    response = Client().get("/api/openapi.json")
    assert response["Content-Type"] == "application/json"
    found: dict[str, Any] = read(response)
    return found


def each_operation(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_the_document_is_of_openapi_3_1_and_names_all_of_the_contract(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document["info"])
    assert {path: set(methods) for path, methods in document["paths"].items()} == CONTRACT


def test_every_registered_operation_is_in_the_document(document: dict[str, Any]) -> None:
    listed = {(method.upper(), path.removeprefix("/api")) for path, method, _ in each_operation(document)}
    assert listed == set(operations())


def test_operations_have_unique_ids_and_a_summary(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in each_operation(document)]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] and operation["tags"] for _, _, operation in each_operation(document))


def test_parameters_in_a_path_are_declared_and_required(document: dict[str, Any]) -> None:
    for path, _, operation in each_operation(document):
        parameters = operation["parameters"]
        declared = [one["name"] for one in parameters if one["in"] == "path"]
        assert sorted(declared) == sorted(re.findall(r"{(\w+)}", path))
        assert all(one["required"] for one in parameters if one["in"] == "path")
        assert all(one["in"] in {"path", "query"} and "schema" in one for one in parameters)
        assert len({(one["name"], one["in"]) for one in parameters}) == len(parameters)


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) == known


def test_every_operation_says_how_it_is_authorised(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["token"] == {**schemes["token"], "type": "http", "scheme": "bearer"}
    for _, method, operation in each_operation(document):
        token, session = operation["security"]
        assert set(token) | set(session) <= set(schemes)
        assert ("csrf" in session) == (method != "get")


def test_every_operation_says_how_it_succeeds_and_fails(document: dict[str, Any]) -> None:
    for path, _, operation in each_operation(document):
        answers = operation["responses"]
        assert any(status.startswith("2") for status in answers)
        assert all(re.fullmatch(r"[1-5]\d\d", status) and answer["description"] for status, answer in answers.items())
        assert {"401", "403", "422"} <= set(answers)
        assert ("404" in answers) or "{" not in path
        for status, answer in answers.items():
            if status >= "400":
                assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}


def test_schemas_are_sound(document: dict[str, Any]) -> None:
    types = {"object", "array", "string", "integer", "number", "boolean", "null"}

    def check(schema: dict[str, Any]) -> None:
        assert "nullable" not in schema, "that is of OpenAPI 3.0"
        assert schema.get("type", "object") in types
        assert set(schema.get("required", [])) <= set(schema.get("properties", {}))
        for part in [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]:
            check(part)
        if isinstance(schema.get("items"), dict):
            check(schema["items"])

    for schema in document["components"]["schemas"].values():
        check(schema)


def test_a_client_made_from_the_document_sends_no_defaults_where_what_is_left_out_stays(
    document: dict[str, Any],
) -> None:
    for name in ("AgentFields", "ThreadFields", "ScheduleFields", "WebhookFields"):
        schema = document["components"]["schemas"][name]
        assert "required" not in schema
        assert not any("default" in part for part in schema["properties"].values())


def test_the_message_operations_say_that_they_stream(document: dict[str, Any]) -> None:
    methods = document["paths"]["/api/threads/{thread_id}/messages"]
    assert set(methods["post"]["responses"]["200"]["content"]) == {"text/plain", "text/event-stream"}
    assert "text/event-stream" in methods["get"]["responses"]["200"]["content"]


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/"])
def test_the_pages_show_every_operation_and_object_without_a_script_of_their_own(
    path: str, document: dict[str, Any]
) -> None:
    response = Client().get(path)
    page = response.content.decode()
    assert response.status_code == 200
    for where, method, operation in each_operation(document):
        assert f'id="{operation["operationId"]}"' in page
        assert f"<b>{method.upper()}</b> {where}" in page
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page
    for link in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{link}"' in page
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", page)


def test_the_examples_on_the_pages_are_commands_with_valid_bodies(db: None) -> None:
    page = Client().get("/api/docs").content.decode()
    bodies = re.findall(r"-d &#x27;(.*?)&#x27;", page)
    assert len(bodies) > 8
    for body in bodies:
        assert isinstance(json.loads(body.replace("&quot;", '"')), dict)
