"""Trying an agent beside its form: what is said and done there is nobody's history."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.services import create_token
from agents.models import Agent, AgentVersion, Provider
from runs import states
from runs.deletion import delete_trials
from runs.models import Run, RunStatus
from runs.plan import make_plan
from runs.states import finish_unheld
from tests.agents.test_pages import FORM
from tests.conftest import ClientOf
from threads.models import Thread
from threads.services import change

HTMX = {"HX-Request": "true"}


def attempt(client: Client, path: str = "/agents/try/", **fields: Any) -> Any:
    return client.post(path, {**FORM, "say": "Hello", **fields}, headers=HTMX)


def trial_in(answer: Any) -> str:
    found = re.search(r'name="trial" value="(\d+)"', answer.text)
    assert found is not None
    return found[1]


def test_a_stored_agent_stays_as_it_is_while_the_edited_one_is_tried(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    before = Agent.objects.values().get(pk=agent.pk)
    answer = attempt(client_of(owner), f"/agents/{agent.pk}/try/", system_instructions="Speak like a pirate.")
    assert answer.status_code == 200
    assert Agent.objects.values().get(pk=agent.pk) == before
    assert agent.versions.count() == 1
    thread = Thread.objects.get()
    assert thread.agent.trial
    assert thread.agent.system_instructions == "Speak like a pirate."
    assert "Hello" in answer.text
    assert f'data-socket="/threads/{thread.pk}/live"' in answer.text


def test_the_run_has_the_set_up_of_the_form_and_notes_it_as_its_version(client_of: ClientOf, owner: User) -> None:
    Provider.objects.create(workspace=owner.home_workspace(), name="One", base_url="https://x.example/v1")
    client = client_of(owner)
    trial = trial_in(attempt(client, system_instructions="First."))
    assert attempt(client, trial=trial, say="Again", system_instructions="Second.").status_code == 204
    run = states.claim_next(Thread.objects.get().pk, owner="worker")
    assert run is not None
    assert make_plan(run).spec.system == "Second."
    run.refresh_from_db()
    assert run.agent_version is not None
    assert run.agent_version.fields["system_instructions"] == "Second."
    assert Thread.objects.count() == 1


def test_nothing_that_is_tried_shows_in_a_list_or_counts_anywhere(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    client = client_of(owner)
    thread = trial_in(attempt(client, f"/agents/{agent.pk}/try/", name="Zebra", say="Striped words"))
    run = Run.objects.get().pk
    _fail(run)
    for path in (
        "/", "/agents/", "/agents/?q=Zebra", "/threads/", "/threads/?q=Zebra", "/runs/", "/schedules/new/", "/inbox/",
        "/search/?q=Zebra", "/search/?q=Striped", "/palette/", "/palette/?q=Zebra",
        f"/agents/{agent.pk}/", f"/agents/{agent.pk}/?tab=runs", f"/agents/{agent.pk}/?tab=setup", "/settings/models/",
        "/admin/agents/agent/",
    ):  # fmt: skip
        page = client.get(path).text
        assert f"/threads/{thread}/" not in page, path
        assert f"/runs/{run}/" not in page, path
        if "?q=" not in path:  # where it was asked for, the word itself stands
            assert "Zebra" not in page, path
            assert "Striped" not in page, path
    program = Client(headers={"Authorization": f"Bearer {create_token(owner, 'Lists')[1]}"})
    assert [row["name"] for row in program.get("/api/agents").json()] == ["Scout"]
    assert program.get("/api/threads").json() == []
    assert program.get("/api/runs").json() == []
    assert [row["id"] for row in program.get(f"/api/threads/{thread}/runs").json()] == [run], "who names it sees it"


def _fail(run_id: int) -> None:
    """Ends a run as a worker does whose provider refuses the key."""
    run = Run.objects.get(pk=run_id)
    with change(run.thread_id) as thread:
        finish_unheld(run, thread, status=RunStatus.FAILED, reason="refused_key", message="No key.")
    assert Run.objects.get(pk=run_id).status == RunStatus.FAILED


def test_the_pulse_and_the_state_of_the_agent_know_nothing_of_it(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    attempt(client_of(owner), f"/agents/{agent.pk}/try/")
    run = Run.objects.get()
    assert run.agent_id != agent.pk
    agent.refresh_from_db()
    assert (agent.pulse, agent.status, agent.last_run_at) == ("", "idle", None)


def test_what_is_wrong_is_said_in_the_panel_and_nothing_begins(client_of: ClientOf, owner: User) -> None:
    answer = attempt(client_of(owner), temperature="9", say=" ")
    assert answer.status_code == 422
    assert answer["HX-Retarget"] == "#try-msg"
    assert 'href="#id_temperature"' in answer.text
    assert "Write something first" in answer.text
    assert not Thread.objects.exists()
    assert not Agent.objects.exists()


def test_it_needs_no_name_and_its_schedule_does_not_matter_yet(client_of: ClientOf, owner: User) -> None:
    assert attempt(client_of(owner), name="", schedule="gibberish", schedule_timezone="Mars/Olympus").status_code == 200
    assert Thread.objects.get().agent.name == "New agent"


def test_without_script_it_opens_the_thread_and_a_refused_form_comes_back_whole(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    client = client_of(owner)
    done = client.post(f"/agents/{agent.pk}/try/", {**FORM, "say": "Hello"})
    assert done["Location"] == f"/threads/{Thread.objects.get().pk}/"
    assert "Hello" in client.get(done["Location"]).text
    refused = client.post(f"/agents/{agent.pk}/try/", {**FORM, "say": "", "system_instructions": "Typed for an hour."})
    assert refused.status_code == 422
    for words in ("Typed for an hour.", "Edit Scout", "Write something first", f'action="/agents/{agent.pk}/edit/"'):
        assert words in refused.text, words


def test_starting_over_empties_the_conversation_and_only_a_trials(
    client_of: ClientOf, owner: User, thread: Thread
) -> None:
    client = client_of(owner)
    trial = Thread.objects.get(pk=trial_in(attempt(client)))
    path = f"/trials/{trial.pk}/start-over/"
    assert client.post(path, headers=HTMX).status_code == 409, "its run waits"
    Run.objects.update(status=RunStatus.SUCCEEDED, finished_at=timezone.now())
    assert client.post(path, headers=HTMX).status_code == 204
    assert "Hello" not in client.get(f"/threads/{trial.pk}/").text.replace("Say hello", "")
    assert client.post(f"/trials/{thread.pk}/start-over/").status_code == 404


def test_a_trial_belongs_to_whoever_began_it(
    client_of: ClientOf, owner: User, member: User, stranger: User, agent: Agent
) -> None:
    trial = trial_in(attempt(client_of(owner), f"/agents/{agent.pk}/try/"))
    for person in (member, stranger):
        client = client_of(person)
        assert attempt(client, trial=trial).status_code == 404, person
        assert client.get(f"/threads/{trial}/").status_code == 404
        assert client.post(f"/trials/{trial}/start-over/").status_code == 404
    assert attempt(client_of(member), f"/agents/{agent.pk}/try/").status_code == 200
    assert attempt(client_of(stranger), f"/agents/{agent.pk}/try/").status_code == 404


@pytest.mark.parametrize(("hours", "is_left"), [(2, True), (25, False)])
def test_a_trial_is_removed_a_day_after_the_last_word(
    client_of: ClientOf, owner: User, agent: Agent, thread: Thread, hours: int, is_left: bool
) -> None:
    attempt(client_of(owner))
    Run.objects.update(
        status=RunStatus.SUCCEEDED, finished_at=timezone.now(), agent_version=AgentVersion.objects.latest("pk")
    )
    now = timezone.now()
    for rows in (Agent.objects.filter(trial=True), Thread.objects.filter(agent__trial=True)):
        rows.update(updated_at=now - timedelta(hours=hours))
    delete_trials(now - timedelta(days=1))
    assert Agent.objects.filter(trial=True).exists() is is_left
    assert Run.objects.exists() is is_left
    assert Agent.objects.filter(pk=agent.pk).exists()
    assert Thread.objects.filter(pk=thread.pk).exists()
