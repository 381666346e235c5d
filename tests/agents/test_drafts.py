"""What is typed into an agent's form and not saved is kept, offered, and gone once it is saved or discarded."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from agents.models import Agent, AgentDraft, AgentVersion
from tests.agents.test_pages import FORM
from tests.conftest import ClientOf

OFFER = "You have unsaved changes from"
HX = {"HX-Request": "true"}


def now_ms() -> int:
    return int(time.time() * 1000)


def kept(client: Client, agent: Agent | None = None, at: int | None = None, **changes: Any) -> Any:
    """As the form's script does it, a moment after somebody typed."""
    fields = {**FORM, "at": now_ms() if at is None else at, **({"agent_id": agent.pk} if agent else {}), **changes}
    return client.post("/agents/draft/", fields, headers=HX)


def form_of(agent: Agent | None) -> str:
    return f"/agents/{agent.pk}/edit/" if agent else "/agents/new/"


@pytest.mark.parametrize("is_new", [True, False])
def test_what_was_typed_is_offered_and_comes_back_as_it_was(
    client_of: ClientOf, owner: User, agent: Agent, is_new: bool
) -> None:
    client, page = client_of(owner), form_of(None if is_new else agent)
    assert OFFER not in client.get(page).text
    typed: dict[str, Any] = {
        "name": "Half <a> thought",
        "max_steps": "nine",
        "config": '{"team": ',
        "tools": ["calculate"],
    }
    answer = kept(client, None if is_new else agent, **typed, schedule="0 7 * * *", schedule_timezone="Asia/Tokyo")
    assert "Draft saved" in answer.text
    offer = client.get(page).text
    assert OFFER in offer
    assert "Half" not in offer, "the form itself shows what is saved until somebody wants it otherwise"
    restored = client.get(f"{page}?draft=1").text
    assert OFFER not in restored
    for value in ('value="Half &lt;a&gt; thought"', 'value="nine"', 'value="0 7 * * *"', 'value="Asia/Tokyo"'):
        assert value in restored, value
    assert "{&quot;team&quot;: </textarea>" in restored
    assert re.search(r'value="calculate"[^>]* checked', restored)
    assert "error-summary" not in restored


def test_a_draft_makes_no_version_and_no_agent(client_of: ClientOf, owner: User, agent: Agent) -> None:
    kept(client_of(owner))
    kept(client_of(owner), agent, name="Another name")
    agent.refresh_from_db()
    assert (agent.name, agent.version_number) == ("Scout", 1)
    assert (Agent.objects.count(), AgentVersion.objects.count()) == (1, 1)


@pytest.mark.parametrize("is_new", [True, False])
def test_saving_ends_the_draft_also_where_it_comes_late(
    client_of: ClientOf, owner: User, agent: Agent, is_new: bool
) -> None:
    client, whose = client_of(owner), None if is_new else agent
    typed_at = now_ms() - 1000
    kept(client, whose, typed_at)
    assert client.post(form_of(whose), {**FORM, "typed_at": typed_at}).status_code == 303
    assert OFFER not in client.get(form_of(whose)).text
    kept(client, whose, typed_at, name="On its way when it was saved")
    assert OFFER not in client.get(form_of(whose)).text
    kept(client, whose, name="Typed since")
    assert OFFER in client.get(form_of(whose)).text


def test_what_is_refused_is_kept_too(client_of: ClientOf, owner: User, agent: Agent) -> None:
    client = client_of(owner)
    for whose in (None, agent):
        refused = client.post(form_of(whose), {**FORM, "name": "", "system_instructions": "Long thoughts. \0"})
        assert refused.status_code == 422
        assert OFFER not in refused.text, "it stands in the form"
        assert "Long thoughts. </textarea>" in client.get(f"{form_of(whose)}?draft=1").text
    huge = "x" * 1_000_001
    assert huge in client.post("/agents/new/", {**FORM, "system_instructions": huge}).text
    never = client.post("/agents/new/", {**FORM, "name": "Refused", "schedule": "0 0 31 2 *"})
    assert never.status_code == 422
    assert 'value="Refused"' in client.get("/agents/new/?draft=1").text


def test_nothing_is_offered_where_the_form_says_what_is_saved(client_of: ClientOf, owner: User, agent: Agent) -> None:
    client = client_of(owner)
    client.post(form_of(agent), FORM)
    kept(client, agent, name="Changed")
    assert OFFER in client.get(form_of(agent)).text
    assert "Draft saved" not in kept(client, agent, schedule_timezone=owner.timezone).text
    assert OFFER not in client.get(form_of(agent)).text


def test_the_newest_wins_and_a_draft_says_when_the_agent_was_saved_since(
    client_of: ClientOf, owner: User, member: User, agent: Agent
) -> None:
    client = client_of(owner)
    kept(client, agent, 2000, name="second")
    kept(client, agent, 1000, name="first")
    assert 'value="second"' in client.get(f"{form_of(agent)}?draft=1").text
    since = "The agent has been saved since then."
    assert since not in client.get(form_of(agent)).text
    client_of(member).post(form_of(agent), FORM)
    assert since in client.get(form_of(agent)).text


def test_a_draft_is_discarded_with_and_without_script(client_of: ClientOf, owner: User, agent: Agent) -> None:
    client = client_of(owner)
    for whose in (None, agent):
        which = {"agent_id": whose.pk} if whose else {}
        kept(client, whose)
        answer = client.post("/agents/draft/discard/", which)
        assert (answer.status_code, answer["Location"]) == (303, form_of(whose))
        assert OFFER not in client.get(form_of(whose)).text
        kept(client, whose, now_ms() + 5000)
        assert "discarded" in client.post("/agents/draft/discard/", which, headers=HX).text


def test_a_draft_is_its_writer_s_alone(
    client_of: ClientOf, owner: User, member: User, stranger: User, agent: Agent
) -> None:
    kept(client_of(owner), agent, name="Olga's secret plan")
    kept(client_of(owner), name="Olga's new one")
    for person, status in ((member, 200), (stranger, 404)):
        for query in ("", "?draft=1"):
            assert "Olga" not in client_of(person).get(f"/agents/new/{query}").text
        page = client_of(person).get(f"/agents/{agent.pk}/edit/?draft=1")
        assert page.status_code == status
        assert "secret plan" not in page.text
        assert kept(client_of(person), agent, name="Mine").status_code == status
        client_of(person).post("/agents/draft/discard/", {"agent_id": agent.pk})
    assert AgentDraft.objects.filter(user=stranger).count() == 0
    assert "secret plan" in client_of(owner).get(f"/agents/{agent.pk}/edit/?draft=1").text


@pytest.mark.parametrize("at", ["", "soon", "-1", str(10**20)])
def test_a_draft_without_its_time_is_refused(client_of: ClientOf, owner: User, at: str) -> None:
    assert client_of(owner).post("/agents/draft/", {**FORM, "at": at}, headers=HX).status_code == 422
    too_long = {**FORM, "at": 1, "task_instructions": "x" * 1_000_001}
    assert client_of(owner).post("/agents/draft/", too_long, headers=HX).status_code == 413
    assert not AgentDraft.objects.exists()
