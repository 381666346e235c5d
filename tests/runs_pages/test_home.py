from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from agents.models import Agent, LanguageModel, Provider
from agents.services import create_agent
from runs.models import Notice, Run, RunStatus
from runs.services import start_run
from tests.conftest import ClientOf
from threads.models import Thread
from threads.services import create_thread


def heading(client: Client) -> str:
    found = re.search(r"<h1>(.*?)</h1>", client.get("/").text)
    assert found is not None
    return found[1]


def title(client: Client) -> str:
    found = re.search(r"<title>(.*?)</title>", client.get("/").text)
    assert found is not None
    return found[1]


def put(agent: Agent, **fields: Any) -> None:
    Agent.objects.filter(pk=agent.pk).update(**fields)


def told(thread: Thread, strength: str = "failed", **fields: Any) -> Notice:
    """A run of ``thread`` that ended, and the notice of it."""
    run = start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, finished_at=timezone.now(), reason="provider_error")
    values = {"code": "timeout_total", "text": "It took too long.", **fields}
    return Notice.objects.create(
        owner=thread.owner, agent=thread.agent, thread=thread, run=run, strength=strength, **values
    )


@pytest.fixture
def other(owner: User) -> Agent:
    return create_agent(workspace=owner.home_workspace(), author=owner, name="Invoices")


def test_the_heading_says_how_things_stand(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    assert heading(client) == "No agents yet"
    first, second = (create_agent(workspace=owner.home_workspace(), author=owner, name=name) for name in ("A", "B"))
    assert (heading(client), title(client)) == ("All quiet", "All quiet · Zerg")
    put(first, status="processing")
    assert heading(client) == "A is working"
    put(second, status="processing")
    assert heading(client) == "Two agents are working"
    told(create_thread(second, owner=owner))
    assert (heading(client), title(client)) == ("B failed", "(1) Zerg")
    told(create_thread(first, owner=owner))
    assert (heading(client), title(client)) == ("Two things failed", "(2) Zerg")
    told(create_thread(first, owner=owner), "needs_you", code="refused_key")
    assert (heading(client), title(client)) == ("Three things need you", "◆ Needs you · Zerg")
    Notice.objects.filter(strength="failed").update(done_at=timezone.now())
    assert heading(client) == "One thing needs you"


def test_each_matter_says_why_and_offers_the_one_thing_to_do(client_of: ClientOf, owner: User, thread: Thread) -> None:
    client = client_of(owner)
    notice = told(thread, "needs_you", code="refused_key", text="Fakeworks refused the key.")
    page = client.get("/").text
    assert "Fakeworks refused the key." in page
    assert re.search(r'href="/settings/models/fix/">Fix the key<', page)
    Notice.objects.filter(pk=notice.pk).update(strength="failed", code="timeout_total")
    assert re.search(rf'action="/runs/{notice.run_id}/retry/">.*\n?.*>Retry<', client.get("/").text)
    Notice.objects.filter(pk=notice.pk).update(strength="needs_you", code="may_have_happened")
    assert re.search(rf'href="/runs/{notice.run_id}/">See the run<', client.get("/").text)


def test_what_one_deed_mends_is_one_matter(client_of: ClientOf, owner: User, agent: Agent, other: Agent) -> None:
    for each in (agent, agent, agent, other):
        told(create_thread(each, owner=owner), "needs_you", code="refused_key", text=f"{each.name}: no key.")
    client = client_of(owner)
    assert heading(client) == "Two things need you"
    page = client.get("/").text
    assert page.count('id="ntc-') == page.count("Fix the key") * 3
    assert "3 times." in page
    newest = Notice.objects.filter(agent=agent).first()
    assert newest is not None
    assert client.post(f"/inbox/{newest.pk}/done/", {"back": "home"})["Location"] == "/"
    assert heading(client) == "One thing needs you"


def test_agents_stand_in_the_order_of_what_they_need(client_of: ClientOf, owner: User, agent: Agent) -> None:
    now = timezone.now()
    names = ("Used", "Never", "Busy", "Broken", "Asking", "Lately")
    made = {name: create_agent(workspace=owner.home_workspace(), author=owner, name=name) for name in names}
    put(agent, archived_at=now)
    put(made["Used"], last_run_at=now - timedelta(days=2), pulse="fs")
    put(made["Lately"], last_run_at=now, pulse="sc")
    put(made["Busy"], status="processing")
    put(made["Broken"], status="error", pulse="f")
    told(create_thread(made["Asking"], owner=owner), "needs_you")
    page = client_of(owner).get("/").text
    cards = re.findall(r'-link" href="/agents/\d+/">(\w+)</a></h2><span class="pill" data-state="(\w+)"', page)
    assert cards == [
        ("Asking", "needs"), ("Broken", "failed"), ("Busy", "working"),
        ("Lately", "stopped"), ("Used", "done"), ("Never", "idle"),
    ]  # fmt: skip


def test_a_card_says_what_a_run_costs_of_the_last_thirty(client_of: ClientOf, owner: User, agent: Agent) -> None:
    thread = create_thread(agent, owner=owner)
    put(agent, pulse="s" * 30)
    costs = [Decimal(9)] * 5 + [Decimal("0.02"), Decimal("0.06")] * 15
    ended = {"status": RunStatus.SUCCEEDED, "trigger": "api", "queued_at": timezone.now()}
    Run.objects.bulk_create(
        Run(thread=thread, agent=agent, owner=owner, actor=owner, cost_usd=cost, **ended) for cost in costs
    )
    assert "100 % · $0.04 per run" in client_of(owner).get("/").text


def test_a_colleague_is_told_nothing_of_my_runs(client_of: ClientOf, member: User, thread: Thread) -> None:
    notice = told(thread, "needs_you", code="internal_error", text="It broke.")
    client = client_of(member)
    page = client.get("/").text
    assert "It broke." not in page
    assert f"/runs/{notice.run_id}/" not in page
    assert heading(client) == "All quiet"


def test_what_is_under_way_is_listed(client_of: ClientOf, owner: User, member: User, thread: Thread) -> None:
    run = start_run(thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING, started_at=timezone.now(), note="Trying again.")
    page = client_of(owner).get("/").text
    assert "Working now" in page
    assert "What changed" in page
    assert "Trying again." in page
    assert "Working now" not in client_of(member).get("/").text


def test_archived_agents_are_not_at_home(client_of: ClientOf, owner: User, agent: Agent) -> None:
    client = client_of(owner)
    assert "Scout" in client.get("/").text
    client.post(f"/agents/{agent.pk}/archive/")
    client.get("/agents/")
    assert "Scout" not in client.get("/").text


def test_while_there_is_only_the_demo_model_a_real_key_is_offered(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    assert "no model is connected" in client.get("/").text
    client.post("/welcome/later/")
    assert "tiny offline demo model" in client.get("/").text
    provider = Provider.objects.create(
        workspace=owner.home_workspace(), name="Real", base_url="https://real.example/v1"
    )
    assert "tiny offline demo model" not in client.get("/").text
    provider.enabled = False
    provider.save()
    assert "tiny offline demo model" in client.get("/").text


def test_the_page_asks_again_and_hears_nothing_while_nothing_changed(
    client_of: ClientOf, owner: User, agent: Agent, thread: Thread
) -> None:
    client = client_of(owner)

    def again() -> Any:
        return client.get(asked, headers={"HX-Request": "true"})

    found = re.search(r'hx-get="(/\?seen=\w+)"', client.get("/").text)
    assert found is not None
    asked = found[1]
    assert again().status_code == 204
    put(agent, status="processing")
    changed = again()
    assert changed.status_code == 200
    assert "Scout is working" in changed.text
    assert "<html" not in changed.text
    put(agent, status="idle")
    assert again().status_code == 204
    told(thread)
    assert "Scout failed" in again().text


@pytest.mark.django_db
def test_forty_agents_and_what_they_need_take_as_many_queries_as_one(
    client_of: ClientOf, owner: User, agent: Agent, thread: Thread, django_assert_num_queries: Any
) -> None:
    client = client_of(owner)
    LanguageModel.objects.all().delete()
    with django_assert_num_queries(11):
        client.get("/")
    for number in range(40):
        made = create_agent(workspace=owner.home_workspace(), author=owner, name=f"Agent {number}")
        told(create_thread(made, owner=owner), "needs_you" if number % 2 else "failed")
    with django_assert_num_queries(11):
        client.get("/")
