from __future__ import annotations

import pytest

from accounts.models import User
from agents.models import Agent, Provider
from tests.agents.test_pages import FORM
from tests.conftest import ClientOf

AGENT_ROUTES = [
    ("GET", "/agents/{pk}/"),
    ("GET", "/agents/{pk}/?tab=setup"),
    ("GET", "/agents/{pk}/edit/"),
    ("POST", "/agents/{pk}/edit/"),
    ("POST", "/agents/{pk}/duplicate/"),
    ("POST", "/agents/{pk}/archive/"),
    ("POST", "/agents/{pk}/restore/"),
]
PROVIDER_ROUTES = [
    ("GET", "/settings/models/{pk}/"),
    ("POST", "/settings/models/{pk}/"),
    ("POST", "/settings/models/{pk}/test/"),
    ("POST", "/settings/models/{pk}/default/"),
    ("POST", "/settings/models/{pk}/switch/"),
    ("GET", "/settings/models/{pk}/remove/"),
    ("POST", "/settings/models/{pk}/remove/"),
]


@pytest.mark.parametrize(("method", "path"), AGENT_ROUTES)
def test_owner_and_member_reach_an_agent_and_to_a_stranger_it_does_not_exist(
    method: str, path: str, client_of: ClientOf, owner: User, member: User, stranger: User, agent: Agent
) -> None:
    for person in (owner, member):
        answer = client_of(person).generic(method, path.format(pk=agent.pk))
        assert answer.status_code in {200, 303, 422}, person
    before = Agent.objects.values().get(pk=agent.pk)
    count = Agent.objects.count()
    assert client_of(stranger).generic(method, path.format(pk=agent.pk)).status_code == 404
    assert client_of(stranger).generic(method, path.format(pk=987654)).status_code == 404
    assert Agent.objects.values().get(pk=agent.pk) == before
    assert Agent.objects.count() == count


def test_a_stranger_sees_no_trace_of_it_in_any_list(client_of: ClientOf, stranger: User, agent: Agent) -> None:
    client = client_of(stranger)
    for path in ("/", "/agents/", "/agents/?q=Scout", "/agents/?archived=1", "/settings/models/"):
        assert "Scout" not in client.get(path).text.replace('value="Scout"', ""), path


def test_the_field_check_reads_no_stranger_s_agent(client_of: ClientOf, stranger: User, agent: Agent) -> None:
    assert client_of(stranger).post("/agents/check/", {**FORM, "agent_id": agent.pk}).status_code == 404


@pytest.fixture
def provider(owner: User) -> Provider:
    row = Provider(workspace=owner.home_workspace(), name="Olga's models", base_url="http://127.0.0.1:1/v1")
    row.set_key("sk-secret-0123456789")
    row.save()
    return row


@pytest.mark.parametrize(("method", "path"), PROVIDER_ROUTES)
def test_a_provider_belongs_to_the_members_of_its_workspace(
    method: str, path: str, client_of: ClientOf, member: User, stranger: User, provider: Provider
) -> None:
    before = Provider.objects.values().get()
    assert client_of(stranger).generic(method, path.format(pk=provider.pk)).status_code == 404
    assert Provider.objects.values().get() == before
    assert client_of(member).generic(method, path.format(pk=provider.pk)).status_code in {200, 303, 422}


@pytest.mark.parametrize(("method", "path"), PROVIDER_ROUTES)
def test_one_that_serves_everybody_is_changed_by_administrators_only(
    method: str, path: str, client_of: ClientOf, stranger: User, provider: Provider
) -> None:
    Provider.objects.update(workspace=None)
    before = Provider.objects.values().get()
    answer = client_of(stranger).generic(method, path.format(pk=provider.pk))
    if path.endswith("/test/"):
        assert answer.status_code == 303, "whoever it serves may ask whether it works"
    else:
        assert answer.status_code == 403
        assert Provider.objects.values().get() == before
    assert "Olga&#x27;s models" in client_of(stranger).get("/settings/models/").text
    User.objects.filter(pk=stranger.pk).update(is_staff=True)
    assert client_of(stranger).generic(method, path.format(pk=provider.pk)).status_code in {200, 303, 422}
