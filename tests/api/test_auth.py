"""Which credentials count, and what they allow."""

from __future__ import annotations

import json

import pytest
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client

from accounts.models import SCOPES, ApiToken, User
from accounts.services import create_token
from api.auth import Needs
from common.crypto import new_token
from tests.api.conftest import Api, World, read, refused
from tests.api.test_access import MATRIX, address, body_for, operations


@pytest.fixture
def signed_in(owner: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    return client


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic b3duZXI6cHc=", "Token TOKEN", "TOKEN", "Bearer TOKEN x"]
)
def test_a_wrong_authorization_header_is_refused_even_with_a_session(
    header: str, signed_in: Client, owner: User
) -> None:
    _, text = create_token(owner, "t")
    response = signed_in.get("/api/agents", headers={"Authorization": header.replace("TOKEN", text)})
    refused(response, 401, "not_signed_in")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_whatever_its_case(scheme: str, owner: User) -> None:
    _, text = create_token(owner, "t")
    assert Client().get("/api/agents", headers={"Authorization": f"{scheme} {text}"}).status_code == 200


def test_a_revoked_token_is_refused(api: Api) -> None:
    ApiToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    refused(api.get("/api/agents"), 401, "not_signed_in")


def test_the_token_of_a_disabled_person_is_refused(api: Api) -> None:
    User.objects.filter(pk=api.user.pk).update(is_active=False)
    refused(api.get("/api/agents"), 401, "not_signed_in")


def test_no_other_place_is_searched_for_a_token(owner: User) -> None:
    _, text = create_token(owner, "t")
    client = Client()
    client.cookies["token"] = text
    response = client.get(f"/api/agents?token={text}&access_token={text}&key={text}", headers={"X-API-Key": text})
    refused(response, 401, "not_signed_in")


def test_a_session_reads_without_a_csrf_token(signed_in: Client) -> None:
    assert signed_in.get("/api/agents").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_session_changes_nothing_without_its_csrf_token(method: str, signed_in: Client, world: World) -> None:
    path = "/api/threads" if method == "POST" else f"/api/threads/{world.thread.pk}"
    body = {"agent_id": world.agent.pk, "title": "Changed"}
    response = signed_in.generic(method, path, json.dumps(body), content_type="application/json")
    assert "CSRF" in refused(response, 403, "forbidden")["message"]
    world.thread.refresh_from_db()
    assert world.thread.title == "What changed"


def test_a_session_with_its_csrf_token_may_do_everything(signed_in: Client) -> None:
    token = _get_new_csrf_string()
    signed_in.cookies["zerg-csrf"] = token
    response = signed_in.post(
        "/api/agents", {"name": "New", "schedule": "0 7 * * *"}, "application/json", headers={"X-CSRFToken": token}
    )
    assert read(response, 201)["schedule"] == "0 7 * * *"


def test_a_token_needs_no_csrf_token(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    _, text = create_token(owner, "t")
    response = client.post(
        "/api/agents", {"name": "N"}, "application/json", headers={"Authorization": f"Bearer {text}"}
    )
    assert response.status_code == 201


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_a_token_without_the_scope_is_told_which_one_it_lacks(route: tuple[str, str], world: World) -> None:
    needs = operations()[route].auth_callbacks[0]
    assert isinstance(needs, Needs)
    for scope in needs.scopes or needs.maybe[:1]:
        others = tuple(one for one in SCOPES if one != scope)
        response = Api(world.agent.created_by, others).call(  # type: ignore[arg-type]
            route[0], address(route[1], world), body_for(MATRIX[route][3], world)
        )
        assert scope in refused(response, 403, "forbidden")["message"]


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_a_token_with_only_the_scopes_of_an_operation_may_call_it(route: tuple[str, str], world: World) -> None:
    needs = operations()[route].auth_callbacks[0]
    assert isinstance(needs, Needs)
    who = Api(world.agent.created_by, needs.scopes or needs.maybe[:1])  # type: ignore[arg-type]
    response = who.call(route[0], address(route[1], world), body_for(MATRIX[route][3], world))
    assert response.status_code == MATRIX[route][0], response.content


def test_an_agents_schedule_needs_the_scope_of_schedules(owner: User, world: World) -> None:
    who = Api(owner, ("agents:write",))
    error = refused(who.patch(f"/api/agents/{world.agent.pk}", {"schedule": "0 7 * * *"}), 403, "forbidden")
    assert "schedules:write" in error["message"]
    refused(who.post("/api/agents", {"name": "x", "schedule": "0 7 * * *"}), 403, "forbidden")


def test_an_unknown_token_of_the_right_form_is_refused(db: None) -> None:
    refused(Client().get("/api/agents", headers={"Authorization": f"Bearer {new_token('zerg')}"}), 401, "not_signed_in")
