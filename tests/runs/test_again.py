"""Running again: with the agent as it is now, or as it was then."""

from __future__ import annotations

import pytest

from accounts.models import User
from agents.models import Provider
from agents.services import save_agent
from runs.models import Run
from runs.plan import make_plan
from runs.states import claim_next
from tests.conftest import ClientOf
from tests.runs_pages.test_run_pages import ended
from threads.models import Thread


@pytest.fixture
def run(thread: Thread, owner: User) -> Run:
    """One of an agent that was changed since."""
    Provider.objects.create(workspace=owner.home_workspace(), name="One", base_url="https://x.example/v1")
    agent = thread.agent
    for instructions, model in (("Be brief.", "old-1"), ("Be thorough.", "new-1")):
        agent.system_instructions, agent.model = instructions, model
        save_agent(agent, author=owner)
    return ended(thread, agent_version=agent.versions.get(snapshot__system_instructions="Be brief."))


@pytest.mark.parametrize(
    ("asked", "said", "model"), [({}, "Be thorough.", "new-1"), ({"version": "same"}, "Be brief.", "old-1")]
)
def test_it_has_the_version_that_was_asked_for(
    asked: dict[str, str], said: str, model: str, client_of: ClientOf, owner: User, run: Run
) -> None:
    browser = client_of(owner)
    assert f"As version {run.agent_version.number}" in browser.get(f"/runs/{run.pk}/").content.decode()  # type: ignore[union-attr]
    browser.post(f"/runs/{run.pk}/retry/", asked)
    again = Run.objects.latest("pk")
    assert again.pk != run.pk
    held = claim_next(again.thread_id, owner="worker")
    assert held is not None
    spec = make_plan(held).spec
    assert (spec.system, spec.model) == (said, model)
    again.refresh_from_db()
    assert again.agent_version is not None
    assert again.agent_version.fields["system_instructions"] == said
    run.agent.refresh_from_db()
    assert run.agent.system_instructions == "Be thorough."
