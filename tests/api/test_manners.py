"""What holds for every operation: paging, slashes, methods, and errors in one form."""

from __future__ import annotations

import json
import logging

import pytest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from api.api import api as ninja_api
from runs.models import Run, Step
from runs.services import start_run
from tests.api.conftest import Api, World, end, read, refused
from tests.api.test_access import MATRIX, address, body_for
from threads.services import create_thread

LISTS = [
    "/api/agents", "/api/agents/{agent}/messages", "/api/threads", "/api/threads/{thread}/messages",
    "/api/threads/{thread}/runs", "/api/runs", "/api/schedules", "/api/schedules/{schedule}/occurrences", "/api/models",
]  # fmt: skip


def filled(path: str, world: World) -> str:
    return path.format(agent=world.agent.pk, thread=world.thread.pk, schedule=world.schedule.pk)


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_every_path_works_with_a_slash_at_its_end(route: tuple[str, str], world: World, api: Api) -> None:
    expected, _, _, body = MATRIX[route]
    assert api.call(route[0], f"{address(route[1], world)}/", body_for(body, world)).status_code == expected


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_an_array_with_its_total(path: str, world: World, api: Api) -> None:
    response = api.get(filled(path, world))
    assert isinstance(read(response), list)
    assert int(response["X-Total-Count"]) >= len(read(response))


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", ["limit=501", "limit=-1", "skip=-1", "skip=x", f"skip={10**30}", "limit="])
def test_every_list_refuses_a_page_that_is_none(query: str, path: str, world: World, api: Api) -> None:
    error = refused(api.get(f"{filled(path, world)}?{query}"), 422, "invalid")
    assert query.partition("=")[0] in error["fields"]


def test_a_page_is_a_window_on_the_whole(api: Api, owner: User) -> None:
    names = [f"Agent {number}" for number in range(5)]
    for name in names:
        create_agent(workspace=owner.home_workspace(), author=owner, name=name)
    page = api.get("/api/agents?skip=1&limit=2")
    assert ([one["name"] for one in read(page)], page["X-Total-Count"]) == (["Agent 3", "Agent 2"], "5")
    assert read(api.get("/api/agents?limit=500&skip=9")) == []
    assert read(api.get("/api/agents?limit=0")) == []


@pytest.mark.parametrize("path", LISTS)
def test_a_longer_list_takes_no_more_queries(
    path: str, world: World, api: Api, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(4):
        agent = create_agent(workspace=world.agent.workspace, author=api.user, name=f"A{number}")
        thread = create_thread(agent, owner=api.user)
        for where in (thread, world.thread):
            run = end(start_run(where, text="x", author=api.user, trigger=Run.Trigger.API))
            Step.objects.create(run=run, index=0, kind="model", name="m", started_at=run.queued_at)
    with django_assert_max_num_queries(7):  # the token, its last use, the person's rights, the rows, the total, steps
        read(api.get(filled(path, world)))


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api/nothing", "/api/agents/x", "/api/agents/-1", "/api/agents/1/nothing", "/api/threads//",
     f"/api/agents/{'9' * 5000}", "/api/%00", "/api/agents/1.5"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_address_with_nothing_behind_it_is_404_in_json(method: str, path: str, api: Api) -> None:
    if path != "/api/threads//":
        refused(api.call(method, path, {}), 404, "not_found")


@pytest.mark.parametrize("number", [0, 2**63 - 1, 2**63, 2**64, 10**30])
@pytest.mark.parametrize("kind", ["agents", "threads", "runs", "schedules"])
def test_any_number_may_be_an_id_and_is_404_where_nothing_is(kind: str, number: int, api: Api) -> None:
    refused(api.get(f"/api/{kind}/{number}"), 404, "not_found")


def test_a_wrong_method_is_405_in_json_and_names_the_right_ones(api: Api) -> None:
    response = api.delete("/api/agents")
    refused(response, 405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) == {"GET", "POST"}


def test_head_is_answered_as_get_is(api: Api, agent: Agent) -> None:
    response = api.call("HEAD", "/api/agents")
    assert (response.status_code, response["X-Total-Count"], response.content) == (200, "1", b"")


@pytest.mark.parametrize(
    "body",
    ["{", "{'name': 'x'}", '{"name": NaN}', '{"config": {"x": Infinity}}', '{"config": {"x": 1e999}}', "\x00",
     "[" * 5000, b"\xff\xfe\xff", '{"max_steps": ' + "9" * 5000 + "}"],
)  # fmt: skip
def test_a_body_that_is_no_json_is_400(body: str | bytes, api: Api, agent: Agent) -> None:
    refused(api.call("PATCH", f"/api/agents/{agent.pk}", body), 400, "invalid_json")


@pytest.mark.parametrize("body", [[], "x", 5, None, [{"name": "x"}]])
def test_a_body_that_is_no_object_is_422(body: object, api: Api) -> None:
    assert refused(api.post("/api/agents", json.dumps(body)), 422, "invalid")["fields"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a\x00"}, "name"),
        ({"name": "a\ud800"}, "name"),
        ({"name": "ok", "config": {"deep": ["\x00"]}}, "config"),
        ({"name": "ok", "config": {"\udfff": 1}}, "config"),
    ],
)
def test_text_that_no_database_keeps_is_refused_with_its_field(body: dict[str, object], field: str, api: Api) -> None:
    assert field in refused(api.post("/api/agents", body), 422, "bad_text")["fields"]
    assert not Agent.objects.exists()


def test_an_escaped_backslash_before_u0000_is_plain_text(api: Api) -> None:
    assert read(api.post("/api/agents", {"name": "a\\u0000"}), 201)["name"] == "a\\u0000"


def test_a_body_of_more_than_2_mib_is_413(api: Api) -> None:
    refused(api.post("/api/agents", {"name": "x" * (2 * 1024 * 1024)}), 413, "too_large")


def test_json_is_read_whatever_the_content_type_says(api: Api) -> None:
    response = api.client.generic(
        "POST", "/api/agents", '{"name": "x"}', content_type="application/x-www-form-urlencoded", headers=api.headers
    )
    read(response, 201)


def test_a_form_with_a_session_is_refused_as_no_json(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    client.cookies["zerg-csrf"] = token = "a" * 32
    response = client.post("/api/agents", {"csrfmiddlewaretoken": token, "name": "x"})
    refused(response, 400, "invalid_json")


def test_a_bug_is_logged_under_the_reference_that_the_answer_gives(caplog: pytest.LogCaptureFixture) -> None:
    request = RequestFactory().get("/api/agents")
    with caplog.at_level(logging.ERROR):
        response = ninja_api.on_exception(request, RuntimeError("secret detail"))
    error = refused(response, 500, "internal_error")
    assert "secret" not in response.content.decode()
    assert error["message"].removesuffix(".").rpartition(" ")[2] in caplog.text
