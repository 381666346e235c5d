from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from agents.models import Agent, LanguageModel, Provider
from agents.services import create_agent
from runs.models import Run, RunStatus
from runs.services import start_run
from tests.conftest import ClientOf
from threads.models import Thread


def heading(client: Client) -> str:
    found = re.search(r"<h1>(.*?)</h1>", client.get("/").text)
    assert found is not None
    return found[1]


def put(agent: Agent, **fields: Any) -> None:
    Agent.objects.filter(pk=agent.pk).update(**fields)


def test_the_heading_says_how_things_stand(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    assert heading(client) == "No agents yet"
    first, second = (create_agent(workspace=owner.home_workspace(), author=owner, name=name) for name in ("A", "B"))
    assert heading(client) == "All quiet"
    put(first, status="processing")
    assert heading(client) == "A is working"
    put(second, status="processing")
    assert heading(client) == "Two agents are working"
    put(second, status="error")
    assert heading(client) == "B failed"
    put(first, status="error")
    assert heading(client) == "Two agents failed"


def test_a_failed_agent_says_why_and_offers_the_one_thing_to_do(
    client_of: ClientOf, owner: User, agent: Agent, thread: Thread
) -> None:
    client = client_of(owner)
    run = start_run(thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT)
    put(agent, status="error", last_error="Fakeworks refused the key.")
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, error_code="refused_key")
    page = client.get("/").text
    assert "Fakeworks refused the key." in page
    assert re.search(r'href="/settings/models/">Fix the key<', page)
    Run.objects.filter(pk=run.pk).update(error_code="internal_error")
    assert re.search(rf'href="/runs/{run.pk}/">See the run<', client.get("/").text)


def test_a_colleagues_failed_run_is_not_linked(
    client_of: ClientOf, member: User, owner: User, agent: Agent, thread: Thread
) -> None:
    run = start_run(thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, error_code="internal_error")
    put(agent, status="error", last_error="It broke.")
    page = client_of(member).get("/").text
    assert "It broke." in page
    assert f"/runs/{run.pk}/" not in page


def test_archived_agents_are_not_at_home(client_of: ClientOf, owner: User, agent: Agent) -> None:
    client = client_of(owner)
    assert "Scout" in client.get("/").text
    client.post(f"/agents/{agent.pk}/archive/")
    client.get("/agents/")
    assert "Scout" not in client.get("/").text


def test_while_there_is_only_the_demo_model_a_real_key_is_offered(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    assert "tiny offline demo model" in client.get("/").text
    provider = Provider.objects.create(
        workspace=owner.home_workspace(), name="Real", base_url="https://real.example/v1"
    )
    assert "tiny offline demo model" not in client.get("/").text
    provider.enabled = False
    provider.save()
    assert "tiny offline demo model" in client.get("/").text


def test_the_page_asks_again_and_hears_nothing_while_nothing_changed(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    client = client_of(owner)
    found = re.search(r'hx-get="(/\?seen=\w+)"', client.get("/").text)
    assert found is not None
    again = client.get(found[1], headers={"HX-Request": "true"})
    assert again.status_code == 204
    put(agent, status="processing")
    changed = client.get(found[1], headers={"HX-Request": "true"})
    assert changed.status_code == 200
    assert "Scout is working" in changed.text
    assert "<html" not in changed.text


@pytest.mark.django_db
def test_forty_agents_take_as_many_queries_as_one(
    client_of: ClientOf, owner: User, agent: Agent, django_assert_num_queries: Any
) -> None:
    client = client_of(owner)
    LanguageModel.objects.all().delete()
    with django_assert_num_queries(6):
        client.get("/")
    for number in range(40):
        create_agent(workspace=owner.home_workspace(), author=owner, name=f"Agent {number}")
    with django_assert_num_queries(6):
        client.get("/")
