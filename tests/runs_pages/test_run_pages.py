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
from common.templatetags.zerg import first_line
from runs.models import Run, RunStatus, Step
from runs.services import start_run
from tests.conftest import ClientOf
from threads.models import Thread, ThreadMessage
from threads.services import add_message, change, create_thread
from triggers.models import Occurrence
from triggers.services import create_schedule


def ended(thread: Thread, status: RunStatus = RunStatus.SUCCEEDED, **fields: Any) -> Run:
    """A run that took 41 s and waited 2 s."""
    run = start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT)
    now = timezone.now()
    version = thread.agent.versions.first()  # as the worker notes it
    values = {
        "agent_version": version,
        "queued_at": now - timedelta(seconds=43),
        "started_at": now - timedelta(seconds=41),
        "finished_at": now,
    }
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


def test_the_list_is_filtered_by_what_started_a_run_and_by_its_schedule(
    client_of: ClientOf, owner: User, thread: Thread, agent: Agent
) -> None:
    chatted, timed = ended(thread), ended(thread, trigger=Run.Trigger.SCHEDULE)
    schedule = create_schedule(agent, owner=owner, expression="0 7 * * *", name="Morning news")
    now = timezone.now()
    Occurrence.objects.create(schedule=schedule, scheduled_for=now, fired_at=now, outcome="ran", run=timed)
    client = client_of(owner)

    def shown(query: str) -> list[int]:
        return [int(number) for number in re.findall(r'id="run-(\d+)"', client.get(f"/runs/{query}").text)]

    assert shown("?trigger=chat") == [chatted.pk]
    assert shown("?trigger=schedule") == [timed.pk]
    assert shown(f"?schedule={schedule.pk}") == [timed.pk]
    assert "Morning news" in client.get(f"/runs/?schedule={schedule.pk}").text
    assert shown("?trigger=nonsense&schedule=987654") == [timed.pk, chatted.pk]


def test_due_times_at_which_nothing_ran_stand_between_the_runs_each_on_one_page(
    client_of: ClientOf, owner: User, member: User, thread: Thread, agent: Agent
) -> None:
    schedule = create_schedule(agent, owner=owner, expression="0 7 * * *", name="Morning news")
    now = timezone.now()
    for number in range(60):
        ended(thread, queued_at=now - timedelta(minutes=60 - number))
        due = now - timedelta(minutes=60 - number, seconds=-30)
        outcome, reason = ("missed", "Zerg was off.") if number % 2 else ("skipped", "The last run was still going.")
        Occurrence.objects.create(schedule=schedule, scheduled_for=due, fired_at=now, outcome=outcome, reason=reason)
    client = client_of(owner)
    first = client.get("/runs/").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = client.get(f"/runs/{older[1].replace('&amp;', '&')}").text
    assert "Zerg was off." in first
    assert "The last run was still going." in second
    rows = [re.findall(r'<li id="(run|occ)-', page) for page in (first, second)]
    assert rows[0][:4] == ["occ", "run", "occ", "run"], "each time stands above the run before it"
    assert [(page.count("run"), page.count("occ")) for page in rows] == [(50, 50), (10, 10)]
    alone = client.get("/runs/?status=due").text
    assert re.findall(r'<li id="(run|occ)-', alone) == ["occ"] * 50
    assert "occ-" not in client.get("/runs/?status=done").text
    assert "occ-" not in client.get("/runs/?trigger=chat").text
    assert "occ-" not in client_of(member).get("/runs/").text


def test_a_run_that_found_nothing_new_says_so(client_of: ClientOf, owner: User, run: Run) -> None:
    assert "Done, nothing new" not in client_of(owner).get("/runs/").text
    Run.objects.filter(pk=run.pk).update(nothing_new=True)
    assert "Done, nothing new" in client_of(owner).get("/runs/").text


def test_the_list_turns_pages_and_takes_no_query_per_row(
    client_of: ClientOf, owner: User, thread: Thread, django_assert_num_queries: Any
) -> None:
    client = client_of(owner)
    ended(thread)
    with django_assert_num_queries(7):
        client.get("/runs/")
    for _ in range(60):
        ended(thread)
    with django_assert_num_queries(7):
        page = client.get("/runs/").text
    assert 'rel="next" href="?before=' in page
    assert page.count('id="run-') == 50


def test_a_run_tells_what_it_was_and_what_it_cost(client_of: ClientOf, owner: User, run: Run) -> None:
    add_step(run, 1, kind=Step.Kind.MODEL, name="fake-1", cost_usd=Decimal("0.0213"))
    page = client_of(owner).get(f"/runs/{run.pk}/").text
    for words in (
        "Done", "Scout", "version 1", "Chat, Olga", "2.0 s", "41 s", "fake-1",
        "14,201 in (9,800 cached), 1,204 out", "$0.021", "1 model call, 0 tool calls",
    ):  # fmt: skip
        assert words in page, words
    at = run.input_message_id
    assert f'href="/threads/{run.thread_id}/?around={at}#m-{at}"' in page
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
    assert whole.count("x" * 20_000) == 1, "the error's own sentence is not long"
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
    assert page.count('<details class="step"') == 200
    assert 'id="step-500"' in client.get(f"/runs/{run.pk}/?page=3").text


def test_long_idle_times_are_folded_and_named(client_of: ClientOf, owner: User, run: Run) -> None:
    """41 s: a call of 1 s, 20 s of nothing, a call of 2 s by another worker, 17 s of nothing."""
    assert run.started_at is not None
    times = [(0, 1, 1), (21, 23, 2), (23, 24, 2)]
    for index, (begin, end, attempt) in enumerate(times, 1):
        moments = {"started_at": run.started_at + timedelta(seconds=begin)}
        add_step(run, index, finished_at=run.started_at + timedelta(seconds=end), attempt=attempt, **moments)
    client = client_of(owner)
    page = client.get(f"/runs/{run.pk}/").text
    assert re.findall(r'<li class="idle">(.*?)</li>', page) == ["waited 20 s for another worker", "nothing for 17 s"]
    bars = [(int(x), int(width)) for x, width in re.findall(r'<rect class="tool.*?x="(\d+)" y="1" width="(\d+)"', page)]
    assert bars == [(0, 230), (270, 460), (730, 230)], "4 s share what two folded times of 40 leave"
    by_order = client.get(f"/runs/{run.pk}/?axis=order").text
    assert '<li class="idle">' not in by_order
    bars = [(int(x), int(w)) for x, w in re.findall(r'<rect class="tool.*?x="(\d+)" y="1" width="(\d+)"', by_order)]
    assert bars == [(0, 250), (250, 500), (750, 250)]


def test_a_step_that_is_named_is_unfolded_without_script(client_of: ClientOf, owner: User, run: Run) -> None:
    Step.objects.bulk_create(
        Step(run=run, index=index, kind="tool", name="t", input=f"in {index}.", started_at=run.queued_at)
        for index in range(1, 450)
    )
    page = client_of(owner).get(f"/runs/{run.pk}/?step=321").text
    assert 'id="step-321" open>' in page
    assert "in 321." in page
    assert "in 322." not in page
    assert 'id="step-200"' not in page
    assert "Earlier steps: up to 200" in page
    assert "More steps: 400 of 449 are shown" in page
    more = client_of(owner).get(f"/runs/{run.pk}/?page=3&part=steps", headers={"HX-Request": "true"}).text
    assert more.strip().startswith("<li>")
    assert more.count('<details class="step"') == 49


def test_what_is_too_long_for_a_page_is_a_file(client_of: ClientOf, owner: User, run: Run) -> None:
    add_step(run, 1, input="short", output="ü" * 1_000_001)
    client = client_of(owner)
    for query in ("", "?full=1"):
        page = client.get(f"/runs/{run.pk}/steps/1/{query}").text
        assert f'href="/runs/{run.pk}/steps/1/?download=output"' in page
        assert "Show all" not in page
    file = client.get(f"/runs/{run.pk}/steps/1/?download=output")
    assert file.content.decode() == "ü" * 1_000_001
    assert file["Content-Disposition"] == f'attachment; filename="run-{run.pk}-step-1-output.txt"'
    assert file["Content-Type"].startswith("text/plain")


def test_what_a_model_answered_is_on_its_message(client_of: ClientOf, owner: User, run: Run) -> None:
    with change(run.thread_id) as thread:
        said = add_message(thread, role="assistant", content="Forty-two.", run_id=run.pk)
    add_step(run, 1, kind="model", input="3 messages", message=said)
    page = client_of(owner).get(f"/runs/{run.pk}/steps/1/").text
    assert "Forty-two." in page
    assert f'href="/threads/{run.thread_id}/?around={said.pk}#m-{said.pk}"' in page


def test_whoever_acts_on_the_runs_pages_stays_there(client_of: ClientOf, owner: User, run: Run, agent: Agent) -> None:
    client = client_of(owner)
    again = client.post(f"/runs/{run.pk}/retry/", {"back": "run"})["Location"]
    newest = Run.objects.order_by("-pk")[0]
    assert newest.pk > run.pk
    assert again == f"/runs/{newest.pk}/"
    assert f'action="/runs/{newest.pk}/stop/"' in client.get("/runs/").text
    assert client.post(f"/runs/{newest.pk}/stop/", {"back": "list"})["Location"] == "/runs/"
    assert client.post(f"/runs/{newest.pk}/stop/", {"back": "run"})["Location"] == f"/runs/{newest.pk}/"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n## Two *releases* landed\n\nOne", "Two releases landed"), ("| a | b |\n|---|---|", "a | b"), ("", ""),
        ("```sh\ndu | sort -n\n```", "du | sort -n"), ("- **Done**: it works", "Done: it works"),
    ],
)  # fmt: skip
def test_the_first_line_of_a_result_is_words(text: str, words: str) -> None:
    assert first_line(text) == words


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


@pytest.mark.parametrize("reason", [reason for reason in Run.Reason if reason != Run.Reason.COMPLETED])
def test_why_a_run_ended_is_said_in_words_everywhere(
    client_of: ClientOf, owner: User, thread: Thread, reason: Run.Reason
) -> None:
    status = RunStatus.CANCELLED if reason == Run.Reason.STOPPED_BY_USER else RunStatus.FAILED
    error: dict[str, Any] = {}
    if status == RunStatus.FAILED:
        error = {"error_code": reason.value, "error_message": "This is why."}
    run = ended(thread, status, reason=reason, **error)
    with change(thread.pk) as locked:
        told = "stopped" if status == RunStatus.CANCELLED else "failed"
        add_message(locked, role="assistant", source="agent", status=told, run_id=run.pk, **error)
    browser = client_of(owner)
    words = str(reason.label).replace("'", "&#x27;")
    for page in ("/runs/", f"/runs/{run.pk}/"):
        assert words in browser.get(page).text, page
    page = browser.get(f"/threads/{thread.pk}/").text
    assert ("This is why." in page and words in page) if error else "Stopped" in page
    told = browser.get(f"/api/runs/{run.pk}").json()
    assert (told["reason"], told["reason_text"]) == (reason.value, reason.label)
