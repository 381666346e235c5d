from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import Membership, User, Workspace
from agents.models import Agent, LanguageModel, Provider
from agents.services import create_agent
from tests.conftest import ClientOf
from triggers.models import Schedule

FORM = {
    "name": "Herald",
    "description": "Tells the news.",
    "system_instructions": "You are brief.",
    "task_instructions": "Tell the news.",
    "model": "",
    "temperature": "0.5",
    "max_output_tokens": "",
    "max_steps": "7",
    "memory_strategy": "window",
    "memory_window": "12",
    "tools": ["calculate"],
    "config": '{"team": "news"}',
    "schedule": "",
    "schedule_timezone": "",
}


def post(client: Client, path: str, **changes: Any) -> Any:
    return client.post(path, {**FORM, **changes})


def test_a_new_agent_lands_in_the_persons_workspace_with_all_that_was_typed(client_of: ClientOf, owner: User) -> None:
    answer = post(client_of(owner), "/agents/new/")
    agent = Agent.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/agents/{agent.pk}/")
    assert agent.workspace == owner.home_workspace()
    assert (agent.name, agent.temperature, agent.max_steps) == ("Herald", 0.5, 7)
    assert (agent.memory_strategy, agent.memory_window, agent.max_output_tokens) == ("window", 12, None)
    assert (agent.tools, agent.config) == (["calculate"], {"team": "news"})
    assert agent.version_number == 1


def test_somebody_in_two_workspaces_works_in_the_first(client_of: ClientOf, member: User) -> None:
    second = Workspace.objects.create(name="Later")
    Membership.objects.create(workspace=second, user=member)
    post(client_of(member), "/agents/new/")
    assert Agent.objects.get().workspace_id == member.memberships.order_by("id")[0].workspace_id


def test_each_save_that_changes_something_is_a_version_that_says_what(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    client = client_of(owner)
    assert post(client, f"/agents/{agent.pk}/edit/").status_code == 303
    assert post(client, f"/agents/{agent.pk}/edit/").status_code == 303
    agent.refresh_from_db()
    assert agent.version_number == 2
    page = client.get(f"/agents/{agent.pk}/?tab=setup").text
    assert "Version 2" in page
    assert "name, what it does, instructions, task, tools, it remembers" in page
    assert "You are brief." in page


def test_what_is_wrong_is_said_once_above_and_at_each_field_and_nothing_is_saved(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    answer = post(
        client_of(owner),
        f"/agents/{agent.pk}/edit/",
        name="",
        temperature="9",
        max_steps="0",
        config="[1]",
        schedule_timezone="Mars/Olympus",
    )
    assert answer.status_code == 422
    summary = re.search(r'class="error-summary".*?</ul>', answer.text, re.DOTALL)
    assert summary is not None
    for field in ("name", "temperature", "max_steps", "config", "schedule_timezone"):
        assert f'href="#id_{field}"' in summary[0], field
    assert "JSON object" in answer.text
    assert "Edit Scout" in answer.text, "the heading still says whose form it is"
    agent.refresh_from_db()
    assert (agent.name, agent.version_number) == ("Scout", 1)


def test_a_model_that_nobody_offers_is_refused_where_only_the_demo_model_is(
    client_of: ClientOf, owner: User, settings: Any
) -> None:
    settings.LOCAL_MODEL_URL = "http://127.0.0.1:1/v1"
    Provider.objects.create(kind=Provider.Kind.LOCAL, name="Tiny", base_url=settings.LOCAL_MODEL_URL)
    answer = post(client_of(owner), "/agents/new/", model="gpt-dream")
    assert answer.status_code == 422
    assert "No connected provider offers the model “gpt-dream”" in answer.text
    assert not Agent.objects.exists()


def test_the_models_are_offered_with_their_provider_context_and_price(client_of: ClientOf, owner: User) -> None:
    for name in ("One", "Two"):
        provider = Provider.objects.create(workspace=owner.home_workspace(), name=name, base_url="https://x.example/v1")
        LanguageModel.objects.create(
            provider=provider, name="same", context_window=200_000, input_price=3, output_price=15
        )
    page = client_of(owner).get("/agents/new/").text
    assert '<option value="same">One · 200k context · $3 / $15 per million · tools</option>' in page
    assert '<option value="Two/same">' in page


def test_a_field_is_checked_when_it_is_left_and_only_its_message_comes_back(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    headers = {"HX-Request": "true", "HX-Trigger-Name": "max_steps"}
    bad = client.post("/agents/check/", {**FORM, "max_steps": "900", "name": ""}, headers=headers)
    assert bad.status_code == 200
    assert "200" in bad.text
    assert "<input" not in bad.text
    assert "required" not in bad.text, "another field's error is not said here"
    good = client.post("/agents/check/", FORM, headers=headers)
    assert good.text.strip() == ""


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "required"),
        ("name", "x" * 130, "120"),
        ("description", "x" * 301, "300"),
        ("system_instructions", "x" * 200_001, "200,000 fit"),
        ("task_instructions", "nul \x00", "ull character"),
        ("temperature", "3", "2"),
        ("max_output_tokens", "0", "1"),
        ("max_steps", "201", "200"),
        ("memory_strategy", "elephant", "elephant"),
        ("memory_window", "0", "1"),
        ("config", "{", "JSON"),
        ("schedule_timezone", "Mars/Olympus", "no time zone"),
    ],
)
def test_every_field_can_be_wrong_by_itself(
    client_of: ClientOf, owner: User, field: str, value: str, words: str
) -> None:
    client = client_of(owner)
    headers = {"HX-Request": "true", "HX-Trigger-Name": field}
    said = client.post("/agents/check/", {**FORM, field: value}, headers=headers).text
    assert words in said
    assert "<input" not in said
    form = client.get("/agents/new/").text
    assert re.search(rf'name="{field}"[^>]*hx-post="/agents/check/"', form), "the field asks when it is left"


def test_the_check_of_a_model_says_what_is_known_of_it(client_of: ClientOf, owner: User) -> None:
    provider = Provider.objects.create(workspace=owner.home_workspace(), name="One", base_url="https://x.example/v1")
    LanguageModel.objects.create(provider=provider, name="big", context_window=128_000, supports_tools=False)
    headers = {"HX-Request": "true", "HX-Trigger-Name": "model"}
    said = client_of(owner).post("/agents/check/", {**FORM, "model": "big"}, headers=headers).text
    assert "big at One · 128k context · no price known · no tools" in said


def test_the_schedule_is_saved_with_the_agent_changed_and_removed(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    post(client, "/agents/new/", schedule="0 7 * * 1-5", schedule_timezone="Europe/Berlin")
    agent = Agent.objects.get()
    schedule = Schedule.objects.get()
    assert (schedule.expression, schedule.timezone, schedule.is_default) == ("0 7 * * 1-5", "Europe/Berlin", True)
    assert agent.schedule == "0 7 * * 1-5"
    assert agent.next_run_at is not None
    form = client.get(f"/agents/{agent.pk}/edit/").text
    assert 'value="0 7 * * 1-5"' in form
    assert 'value="Europe/Berlin"' in form
    post(client, f"/agents/{agent.pk}/edit/", schedule="0 8 * * *", schedule_timezone="Europe/Berlin")
    assert Schedule.objects.get().expression == "0 8 * * *"
    post(client, f"/agents/{agent.pk}/edit/", schedule="")
    assert not Schedule.objects.exists()


def test_a_schedule_that_never_comes_is_refused_and_the_agent_is_not_made(client_of: ClientOf, owner: User) -> None:
    answer = post(client_of(owner), "/agents/new/", schedule="0 0 31 2 *")
    assert answer.status_code == 422
    assert 'href="#id_schedule"' in answer.text
    assert "New agent" in answer.text
    assert not Agent.objects.exists()


def test_a_copy_has_its_own_history_and_no_schedule(client_of: ClientOf, owner: User, agent: Agent) -> None:
    answer = client_of(owner).post(f"/agents/{agent.pk}/duplicate/")
    copy = Agent.objects.exclude(pk=agent.pk).get()
    assert answer["Location"] == f"/agents/{copy.pk}/"
    assert (copy.name, copy.task_instructions, copy.version_number) == ("Scout (copy)", agent.task_instructions, 1)


def test_an_archived_agent_waits_in_its_own_list_and_comes_back(client_of: ClientOf, owner: User, agent: Agent) -> None:
    client = client_of(owner)
    client.post(f"/agents/{agent.pk}/archive/")
    client.get("/agents/new/")  # takes the note, which names the agent
    assert "Scout" not in client.get("/agents/").text
    assert "Scout" in client.get("/agents/?archived=1").text
    client.post(f"/agents/{agent.pk}/restore/")
    client.get("/agents/new/")
    assert "Scout" in client.get("/agents/").text


def _link(page: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    assert found is not None, f"no link to the {rel} rows"
    return html.unescape(found[1])


def test_the_list_searches_and_turns_pages(
    client_of: ClientOf, owner: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(35):
        create_agent(workspace=owner.home_workspace(), author=owner, name=f"Agent {number}", description="Counts.")
    create_agent(workspace=owner.home_workspace(), author=owner, name="Odd one", description="Looks after llamas.")
    client = client_of(owner)
    with django_assert_max_num_queries(5):
        first = client.get("/agents/").text
    assert "Agent 0<" not in first
    older = client.get(f"/agents/{_link(first, 'next')}").text
    assert "Agent 0<" in older
    assert client.get(f"/agents/{_link(older, 'prev')}").text.count('id="ag-') == first.count('id="ag-')
    assert "Odd one" in client.get("/agents/?q=LLAMA").text
    assert "No agent has these words" in client.get("/agents/?q=zebra").text


def test_each_tab_shows_what_is_ones_own(client_of: ClientOf, owner: User, member: User, agent: Agent) -> None:
    from runs.models import Run
    from runs.services import start_run
    from threads.services import create_thread
    from triggers.services import create_schedule

    thread = create_thread(agent, owner=owner, title="Olga's own thread")
    run = start_run(thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT)
    create_schedule(agent, owner=owner, expression="0 7 * * *", name="Olga's mornings")
    traces = {"threads": "own thread", "runs": f"/runs/{run.pk}/", "schedules": "mornings"}
    for tab, trace in traces.items():
        assert trace in client_of(owner).get(f"/agents/{agent.pk}/?tab={tab}").text, tab
        theirs = client_of(member).get(f"/agents/{agent.pk}/?tab={tab}")
        assert theirs.status_code == 200
        assert trace not in theirs.text, tab


def test_the_tabs_take_no_query_per_row(
    client_of: ClientOf, owner: User, agent: Agent, django_assert_max_num_queries: Any
) -> None:
    from runs.models import Run
    from runs.services import start_run
    from threads.services import create_thread
    from triggers.services import create_schedule

    for number in range(12):
        thread = create_thread(agent, owner=owner, title=f"Thread {number}")
        start_run(thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT)
        create_schedule(agent, owner=owner, expression="0 7 * * *")
    client = client_of(owner)
    for tab in ("threads", "runs", "schedules", "setup"):
        with django_assert_max_num_queries(8):
            client.get(f"/agents/{agent.pk}/?tab={tab}")
