"""The rail beside every page says what works for the person just now, and leads there."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from runs.models import Notice, Run, RunStatus
from runs.rail import MOST_COUNTED, rail_of
from runs.services import start_run
from tests.conftest import ClientOf
from threads.models import Thread
from threads.services import create_thread
from triggers import sample_data

PAGES = ("/", "/inbox/", "/agents/", "/threads/", "/runs/", "/schedules/", "/settings/models/", "/search/")


def working(thread: Thread, status: RunStatus = RunStatus.RUNNING) -> Run:
    run = start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT)
    Run.objects.filter(pk=run.pk).update(status=status, started_at=timezone.now())
    return run


def rail(page: str) -> str:
    """What stands in the rail of what works; it stands in one of the two lists of links."""
    (found,) = re.findall(r'<div id="rail-work">(.*?)</div>', page, re.DOTALL)
    return str(found)


def news(client: Client) -> Any:
    return client.get("/inbox/news/", headers={"HX-Request": "true"}).json()


def test_every_page_leads_to_what_works_and_says_since_when(client_of: ClientOf, owner: User, thread: Thread) -> None:
    client = client_of(owner)
    assert {rail(client.get(page).text) for page in PAGES} == {""}
    run = working(thread)
    for page in (*PAGES, f"/threads/{thread.pk}/", f"/runs/{run.pk}/", f"/agents/{thread.agent_id}/edit/"):
        said = rail(client.get(page).text)
        assert "Working now" in said, page
        assert f'href="/threads/{thread.pk}/"' in said, page
        assert "What changed" in said, page
        assert "data-since=" in said, page
    Run.objects.filter(pk=run.pk).update(status=RunStatus.SUCCEEDED, finished_at=timezone.now())
    assert rail(client.get("/agents/").text) == ""


def test_browsers_and_the_home_page_that_looks_again_hear_the_same_as_a_fresh_page(
    client_of: ClientOf, owner: User, thread: Thread
) -> None:
    client = client_of(owner)
    assert news(client)["working"] == ""
    working(thread)
    said = rail(client.get("/threads/").text)
    assert said == news(client)["working"]
    again = client.get("/", headers={"HX-Request": "true"}).text
    (beside,) = re.findall(r'<div id="rail-work" hx-swap-oob="innerHTML">(.*?)</div>', again, re.DOTALL)
    assert beside == said


def test_a_few_are_shown_and_the_others_counted(client_of: ClientOf, owner: User, agent: Agent) -> None:
    for number in range(6):
        working(create_thread(agent, owner=owner, title=f"Thread {number}"))
    said = rail(client_of(owner).get("/runs/").text)
    assert re.findall(r"Thread \d", said) == ["Thread 5", "Thread 4", "Thread 3", "Thread 2"]
    assert re.search(r'href="/runs/\?status=working">and 2 more<', said)
    for number in range(MOST_COUNTED):
        working(create_thread(agent, owner=owner, title=f"More {number}"))
    assert ">and 46+ more<" in rail(client_of(owner).get("/runs/").text)


def test_what_waits_trials_and_what_others_run_is_not_shown(
    client_of: ClientOf, owner: User, member: User, stranger: User, thread: Thread, agent: Agent
) -> None:
    working(thread)
    for person in (member, stranger):
        assert rail(client_of(person).get("/agents/").text) == ""
        assert news(client_of(person))["working"] == ""
    start_run(create_thread(agent, owner=owner, title="Queued"), text="Hi", author=owner, trigger=Run.Trigger.CHAT)
    trial = Agent.objects.create(workspace=agent.workspace, name="Try", trial=True)
    working(create_thread(trial, owner=owner, title="A trial"))
    said = rail(client_of(owner).get("/agents/").text)
    assert "Queued" not in said
    assert "A trial" not in said


def test_the_inbox_and_what_works_take_one_query_together(
    owner: User, thread: Thread, django_assert_num_queries: Any
) -> None:
    run = working(thread)
    notice = {"owner": owner, "agent": thread.agent, "thread": thread, "run": run}
    Notice.objects.create(**notice, strength="failed", text="It took too long.")
    Notice.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    with django_assert_num_queries(1):
        found = rail_of(owner)
    assert found.inbox.mark == "(1) "
    assert found.inbox.newest == Notice.objects.get().pk
    (one,) = found.working
    assert (one.pk, one.thread_id, one.title, one.agent_name) == (run.pk, thread.pk, "What changed", "Scout")


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.WAITING])
def test_what_needs_somebody_while_it_works_says_so(
    client_of: ClientOf, owner: User, thread: Thread, status: RunStatus
) -> None:
    working(thread, status)
    state = "needs" if status == RunStatus.WAITING else "working"
    assert f'data-state="{state}"' in rail(client_of(owner).get("/agents/").text)


def test_what_has_ended_is_not_looked_through_for_what_works(owner: User, thread: Thread) -> None:
    """Nor does SQLite take another way once it has counted a person's runs."""
    sample_data.make(owner, agents=2, threads=20, messages=2000)
    working(thread)
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as asked:
        cursor.execute("ANALYZE")
        assert len(rail_of(owner).working) == 1
        cursor.execute(f"EXPLAIN QUERY PLAN {asked[-1]['sql']}")
        ways = [row[-1] for row in cursor.fetchall()]
    assert any("INDEX runs_unfinished_of_owner" in way for way in ways), ways
