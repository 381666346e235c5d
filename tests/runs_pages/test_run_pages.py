from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from runs.models import Run, RunStatus, Step
from runs.services import start_run
from tests.conftest import ClientOf
from threads.models import Thread, ThreadMessage
from threads.services import add_message, change, create_thread


def ended(thread: Thread, status: RunStatus = RunStatus.SUCCEEDED, **fields: Any) -> Run:
    """A run that took 41 s and waited 2 s."""
    run = start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT)
    now = timezone.now()
    values = {"queued_at": now - timedelta(seconds=43), "started_at": now - timedelta(seconds=41), "finished_at": now}
    Run.objects.filter(pk=run.pk).update(status=status, **{**values, **fields})
    run.refresh_from_db()
    return run


def add_step(run: Run, index: int, **fields: Any) -> Step:
    assert run.started_at is not None
    values = {
        "kind": Step.Kind.TOOL,
        "name": "calculate",
        "status": Step.Status.SUCCEEDED,
        "started_at": run.started_at + timedelta(seconds=index),
        "finished_at": run.started_at + timedelta(seconds=index + 1),
    }
    return Step.objects.create(run=run, index=index, **{**values, **fields})


@pytest.fixture
def run(thread: Thread) -> Run:
    return ended(
        thread, model="fake-1", input_tokens=14201, cached_tokens=9800, output_tokens=1204, cost_usd=Decimal("0.0213")
    )


def test_the_list_says_each_run_in_words(client_of: ClientOf, owner: User, run: Run) -> None:
    with change(run.thread_id) as thread:
        add_message(thread, role=ThreadMessage.Role.ASSISTANT, content="Two releases landed.", run_id=run.pk)
    page = client_of(owner).get("/runs/").text
    for words in ("Done", "Scout", f"run {run.pk}", "Chat", "What changed", "41 s", "$0.021", "Two releases landed."):
        assert words in page, words


def test_the_list_is_filtered_by_status_and_agent(client_of: ClientOf, owner: User, thread: Thread) -> None:
    done, failed = ended(thread), ended(thread, RunStatus.FAILED, error_message="It broke.")
    other = create_agent(workspace=owner.home_workspace(), author=owner, name="Other")
    theirs = ended(create_thread(other, owner=owner))
    client = client_of(owner)

    def shown(query: str) -> set[int]:
        return {int(number) for number in re.findall(r'id="run-(\d+)"', client.get(f"/runs/{query}").text)}

    assert shown("") == {done.pk, failed.pk, theirs.pk}
    assert shown("?status=failed") == {failed.pk}
    assert shown(f"?agent={other.pk}") == {theirs.pk}
    assert shown(f"?agent={other.pk}&status=failed") == set()
    assert shown("?status=nonsense&agent=x&page=99") == {done.pk, failed.pk, theirs.pk}


def test_the_list_turns_pages_and_takes_no_query_per_row(
    client_of: ClientOf, owner: User, thread: Thread, django_assert_num_queries: Any
) -> None:
    client = client_of(owner)
    ended(thread)
    with django_assert_num_queries(6):
        client.get("/runs/")
    for _ in range(60):
        ended(thread)
    with django_assert_num_queries(6):
        page = client.get("/runs/").text
    assert "Page 1 of 2" in page
    assert page.count('id="run-') == 50


def test_a_run_tells_what_it_was_and_what_it_cost(client_of: ClientOf, owner: User, run: Run) -> None:
    add_step(run, 1, kind=Step.Kind.MODEL, name="fake-1", cost_usd=Decimal("0.0213"))
    page = client_of(owner).get(f"/runs/{run.pk}/").text
    for words in (
        "Done", "Scout", "version 1", "Chat, Olga", "2.0 s", "41 s", "fake-1",
        "14,201 in (9,800 cached), 1,204 out", "$0.021", "1 model call, 0 tool calls",
    ):  # fmt: skip
        assert words in page, words
    assert f'href="/threads/{run.thread_id}/#m-{run.input_message_id}"' in page
    assert f'action="/runs/{run.pk}/retry/"' in page
    assert "data-quiet" not in page, "a finished run does not ask again"


def test_a_failed_run_says_why_and_what_to_do(client_of: ClientOf, owner: User, thread: Thread) -> None:
    run = ended(
        thread,
        RunStatus.FAILED,
        reason="provider_error",
        error_code="refused_key",
        error_message="Fakeworks refused the key.",
    )
    page = client_of(owner).get(f"/runs/{run.pk}/").text
    assert "Fakeworks refused the key." in page
    assert "Fix the key" in page


def test_a_run_under_way_can_be_stopped_and_asks_for_news_of_itself(
    client_of: ClientOf, owner: User, thread: Thread
) -> None:
    run = start_run(thread, text="Hello", author=owner, trigger=Run.Trigger.CHAT)
    client = client_of(owner)
    page = client.get(f"/runs/{run.pk}/").text
    assert f'action="/runs/{run.pk}/stop/"' in page
    found = re.search(r'hx-get="(\?version=\d+)"', page)
    assert found is not None
    headers = {"HX-Request": "true"}
    assert client.get(f"/runs/{run.pk}/{found[1]}", headers=headers).status_code == 204
    assert client.post(f"/runs/{run.pk}/stop/").status_code == 303
    news = client.get(f"/runs/{run.pk}/{found[1]}", headers=headers)
    assert "Stopped" in news.text
    assert "<html" not in news.text


def test_steps_are_drawn_with_attributes_and_unfold_to_what_went_in_and_out(
    client_of: ClientOf, owner: User, run: Run
) -> None:
    add_step(run, 1, input='{"expression": "6*7"}', output="42", effect="read")
    add_step(run, 2, status=Step.Status.FAILED, error_message="It <b>broke</b>.", output="x" * 30_000)
    client = client_of(owner)
    page = client.get(f"/runs/{run.pk}/").text
    assert "6*7" not in page, "payloads come when they are asked for"
    assert page.count("<svg viewBox") == 2
    assert "It &lt;b&gt;broke&lt;/b&gt;." in page
    assert "style=" not in page
    body = client.get(f"/runs/{run.pk}/steps/1/", headers={"HX-Request": "true"}).text
    assert "6*7" in body
    assert "42" in body
    assert "<html" not in body
    whole = client.get(f"/runs/{run.pk}/steps/2/").text
    assert "<html" in whole, "without script it is a page of its own"
    assert whole.count("x" * 20_000) == 1
    assert "x" * 20_001 not in whole
    assert "x" * 30_000 in client.get(f"/runs/{run.pk}/steps/2/?full=1").text


def test_five_hundred_steps_come_in_pages_with_few_queries(
    client_of: ClientOf, owner: User, run: Run, django_assert_max_num_queries: Any
) -> None:
    assert run.started_at is not None
    Step.objects.bulk_create(
        Step(run=run, index=index, kind="tool", name="t", status="succeeded", started_at=run.started_at)
        for index in range(1, 501)
    )
    client = client_of(owner)
    with django_assert_max_num_queries(7):
        page = client.get(f"/runs/{run.pk}/").text
    assert page.count('<li id="step-') == 200
    assert 'id="step-500"' in client.get(f"/runs/{run.pk}/?page=3").text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/runs/{run}/"),
        ("GET", "/runs/{run}/steps/1/"),
        ("POST", "/runs/{run}/stop/"),
        ("POST", "/runs/{run}/retry/"),
    ],
)
def test_a_run_is_private_to_the_owner_of_its_thread(
    method: str, path: str, client_of: ClientOf, owner: User, member: User, stranger: User, run: Run
) -> None:
    add_step(run, 1)
    count = Run.objects.count()
    for person in (member, stranger):
        assert client_of(person).generic(method, path.format(run=run.pk)).status_code == 404
        assert f'id="run-{run.pk}"' not in client_of(person).get("/runs/").text
    assert Run.objects.count() == count
    assert client_of(owner).generic(method, path.format(run=run.pk)).status_code in {200, 303}


def test_a_step_that_does_not_exist_is_not_found(client_of: ClientOf, owner: User, run: Run) -> None:
    assert client_of(owner).get(f"/runs/{run.pk}/steps/9/").status_code == 404


def test_starting_a_run_is_quick_while_the_broker_is_down(
    client_of: ClientOf, owner: User, agent: Agent, django_capture_on_commit_callbacks: Any
) -> None:
    began = timezone.now()
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        answer = client_of(owner).post(f"/agents/{agent.pk}/run/")
    assert answer.status_code == 303
    assert callbacks
    assert (timezone.now() - began).total_seconds() < 1.5
