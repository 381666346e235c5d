"""Who did not see how a run ended is told, once, in the transaction that ended it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from runs import notices, recovery, states, tasks
from runs.endings import Ending
from runs.models import BrowserNotices, Notice, Run, RunStatus
from runs.rail import rail_of
from runs.records import end
from runs.services import cancel, retry, start_run
from tests.conftest import ClientOf
from threads.models import Thread
from threads.services import create_thread

DONE = Ending(RunStatus.SUCCEEDED, Run.Reason.COMPLETED)
STOPPED = Ending(RunStatus.CANCELLED, Run.Reason.STOPPED_BY_USER)
LONG, SHORT = timedelta(seconds=31), timedelta(seconds=29)


def failed(code: str = "timeout_total", words: str = "It took too long.") -> Ending:
    return Ending(RunStatus.FAILED, Run.Reason.PROVIDER_ERROR, code, words)


def ended(thread: Thread, ending: Ending, took: timedelta = SHORT, trigger: Run.Trigger = Run.Trigger.CHAT) -> Run:
    """A run as a worker claims and ends it, ``took`` after it began."""
    started = start_run(thread, text="Hello", author=thread.owner, trigger=trigger)
    Run.objects.filter(pk=started.pk).update(started_at=timezone.now() - took)
    run = states.claim_next(thread.pk, owner="worker")
    assert run is not None
    end(run, ending)
    return Run.objects.get(pk=run.pk)


def told(thread: Thread) -> list[tuple[str, str]]:
    return list(Notice.objects.filter(thread=thread).order_by("pk").values_list("strength", "text"))


def a_while_ago(by: timedelta = timedelta(seconds=10)) -> None:
    """All notices were written some time ago."""
    for notice in Notice.objects.all():
        Notice.objects.filter(pk=notice.pk).update(created_at=notice.created_at - by)


def test_a_failure_is_told_whoever_watched_and_whatever_started_it(thread: Thread) -> None:
    for trigger in Run.Trigger:
        run = ended(thread, failed(), trigger=trigger)
        assert run.notice.strength == "failed"
        assert (run.notice.text, run.notice.code) == ("It took too long.", "timeout_total")


@pytest.mark.parametrize("code", sorted(notices.MENDED_BY_PEOPLE))
def test_what_no_retry_helps_against_needs_a_person(thread: Thread, code: str) -> None:
    ended(thread, failed(code, "Look here."))
    assert told(thread) == [("needs_you", "Look here.")]


def test_a_good_end_is_told_only_of_a_long_run_that_a_person_asked_for(thread: Thread) -> None:
    ended(thread, DONE, SHORT)
    ended(thread, DONE, LONG, Run.Trigger.API)
    ended(thread, STOPPED, LONG)
    assert told(thread) == []
    ended(thread, DONE, LONG, Run.Trigger.SCHEDULE)
    assert told(thread) == [("finished", "It took 31 s.")]


def test_of_a_trial_nobody_is_told(thread: Thread) -> None:
    Agent.objects.filter(pk=thread.agent_id).update(trial=True)
    ended(thread, failed("refused_key"))
    assert told(thread) == []


def test_a_run_stopped_in_the_queue_is_no_news(thread: Thread) -> None:
    cancel(start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT))
    assert told(thread) == []


def test_a_notice_is_there_exactly_when_the_end_is(thread: Thread) -> None:
    start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT)
    run = states.claim_next(thread.pk, owner="worker")
    assert run is not None
    with transaction.atomic():
        end(run, failed())
        assert len(told(thread)) == 1
        transaction.set_rollback(True)
    assert told(thread) == []
    end(run, failed())
    with pytest.raises(states.LeaseLost):
        end(run, failed())
    assert len(told(thread)) == 1


def test_a_run_whose_worker_is_gone_for_good_is_told(thread: Thread) -> None:
    start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT)
    states.claim_next(thread.pk, owner="worker")
    past = timezone.now() - timedelta(minutes=1)
    Run.objects.update(lease_expires_at=past, attempt=states.MAX_ATTEMPTS)
    recovery.recover_expired()
    assert [strength for strength, _ in told(thread)] == ["failed"]


def test_a_good_run_settles_what_went_wrong_in_its_thread_before(thread: Thread, agent: Agent) -> None:
    elsewhere = create_thread(agent, owner=thread.owner)
    ended(elsewhere, failed())
    ended(thread, failed("refused_key"))
    ended(thread, failed())
    ended(thread, DONE)
    open_ones = Notice.objects.filter(done_at=None)
    assert [notice.thread_id for notice in open_ones] == [elsewhere.pk]


def test_who_retries_has_done_something_about_it(thread: Thread) -> None:
    run = ended(thread, failed("may_have_happened"))
    retry(run, actor=thread.owner)
    assert not Notice.objects.filter(done_at=None).exists()


def test_who_read_the_thread_knows_what_ended_there(
    client_of: ClientOf, thread: Thread, owner: User, member: User
) -> None:
    ended(thread, failed("refused_key"))
    ended(thread, failed())
    seq = Thread.objects.get(pk=thread.pk).last_seq
    notices.read(owner, thread.pk, seq - 1)
    notices.read(member, thread.pk, seq)
    assert Notice.objects.filter(done_at=None).count() == 2
    assert client_of(owner).post(f"/threads/{thread.pk}/read/", {"seq": seq}).status_code == 204
    assert [notice.strength for notice in Notice.objects.filter(done_at=None)] == ["needs_you"]


def test_who_was_looking_when_it_finished_is_not_told_and_who_came_later_has_it_in_the_record(
    thread: Thread, owner: User
) -> None:
    for seen_after in (timedelta(seconds=2), timedelta(seconds=8)):
        ended(thread, DONE, LONG)
        a_while_ago(seen_after)
        notices.read(owner, thread.pk, Thread.objects.get(pk=thread.pk).last_seq)
    assert [notice.done_at is not None for notice in Notice.objects.all()] == [True]


def test_what_finished_just_now_waits_a_moment(thread: Thread, owner: User) -> None:
    ended(thread, DONE, LONG)
    assert rail_of(owner).inbox.count == ""
    a_while_ago()
    assert rail_of(owner).inbox.count == "1"


def test_the_inbox_counts_to_99_in_one_query(
    client_of: ClientOf, owner: User, thread: Thread, django_assert_num_queries: Any
) -> None:
    values = {"owner": owner, "agent": thread.agent, "thread": thread, "text": "It broke."}
    Notice.objects.bulk_create(Notice(**values, strength="failed") for _ in range(98))
    assert rail_of(owner).inbox.mark == "(98) "
    Notice.objects.bulk_create(Notice(**values, strength="needs_you") for _ in range(200))
    with django_assert_num_queries(1):
        inbox = rail_of(owner).inbox
    assert (inbox.count, inbox.mark) == ("99+", "◆ Needs you · ")


def test_the_inbox_says_what_needs_somebody_first_and_marks_it_done(
    client_of: ClientOf, owner: User, thread: Thread
) -> None:
    client = client_of(owner)
    assert "Nothing was to be told" in client.get("/inbox/").text
    first = ended(thread, failed("refused_key", "The key was refused."))
    ended(thread, failed(words="It took too long."))
    page = client.get("/inbox/").text
    assert page.index("The key was refused.") < page.index("It took too long.")
    assert "Fix the key" in page
    assert client.post(f"/inbox/{first.notice.pk}/done/").status_code == 303
    assert Notice.objects.get(pk=first.notice.pk).done_at is not None
    assert Notice.objects.filter(done_at=None).count() == 1
    assert client.post("/inbox/all-done/").status_code == 303
    assert not Notice.objects.filter(done_at=None).exists()
    page = client.get("/inbox/").text
    assert "The key was refused." in page, "the record stays"
    assert "Mark all as done" not in page


def test_the_record_turns_pages_and_takes_no_query_per_row(
    client_of: ClientOf, owner: User, thread: Thread, django_assert_max_num_queries: Any
) -> None:
    values = {"owner": owner, "agent": thread.agent, "thread": thread, "text": "It broke.", "strength": "needs_you"}
    Notice.objects.bulk_create(Notice(**values, schedule_id=number) for number in range(1, 61))
    client = client_of(owner)
    with django_assert_max_num_queries(5):
        page = client.get("/inbox/").text
    assert page.count('id="told-') == 50
    assert 'rel="next" href="?before=' in page


@pytest.mark.parametrize(("method", "path"), [("POST", "/inbox/{pk}/done/"), ("POST", "/inbox/all-done/")])
def test_notices_are_private(
    method: str, path: str, client_of: ClientOf, member: User, stranger: User, thread: Thread
) -> None:
    notice = ended(thread, failed(words="Nobody's business.")).notice
    for person in (member, stranger):
        client = client_of(person)
        client.generic(method, path.format(pk=notice.pk))
        for page in ("/", "/inbox/", "/inbox/news/?after=0"):
            assert "Nobody" not in client.get(page).text
    assert Notice.objects.get(pk=notice.pk).done_at is None
    assert client_of(stranger).post(f"/inbox/{notice.pk}/done/").status_code == 404


def news(client: Client, after: int = 0) -> Any:
    return client.get(f"/inbox/news/?after={after}", headers={"HX-Request": "true"}).json()


def test_browsers_hear_of_what_waits_once_it_was_not_seen_for_a_moment(
    client_of: ClientOf, owner: User, thread: Thread
) -> None:
    client = client_of(owner)
    run = ended(thread, failed())
    assert news(client) == {"mark": "(1) ", "count": "1", "newest": 0, "news": [], "working": ""}
    a_while_ago()
    told = news(client)
    assert told["newest"] == run.notice.pk
    assert told["news"] == [
        {
            "id": run.notice.pk,
            "strength": "failed",
            "title": "Scout failed",
            "text": "What changed\nIt took too long.",
            "url": f"/threads/{thread.pk}/",
        }
    ]
    assert news(client, after=told["newest"])["news"] == []
    a_while_ago(notices.NEWS)
    assert news(client)["news"] == [], "what is old is in the inbox, and no news"
    assert Client().get("/inbox/news/", headers={"HX-Request": "true"}).status_code == 401


def test_browsers_tell_what_was_chosen(client_of: ClientOf, owner: User, thread: Thread) -> None:
    client = client_of(owner)
    ended(thread, failed("refused_key"))
    ended(thread, failed())
    a_while_ago()
    here = {"Host": "localhost"}
    assert client.post("/settings/notices/", {"needs_you": "on"}, headers=here).status_code == 303
    assert [told["strength"] for told in news(client)["news"]] == ["needs_you"]
    assert BrowserNotices.objects.get().failed is False
    assert client.get("/settings/notices/", headers=here).text.count("checked") == 1


def test_over_plain_http_browser_notices_are_off_and_the_page_says_why(
    client_of: ClientOf, owner: User, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["zerg.example", "localhost"]
    client = client_of(owner)
    assert "disabled" not in client.get("/settings/notices/", headers={"Host": "localhost:8000"}).text
    page = client.get("/settings/notices/", headers={"Host": "zerg.example:8000"}).text
    assert page.count("disabled") == 3
    assert "only over https" in page
    settings.HTTPS = True
    assert "disabled" not in client.get("/settings/notices/", headers={"Host": "zerg.example"}).text


def test_what_was_done_long_ago_is_forgotten(thread: Thread) -> None:
    ended(thread, failed())
    ended(thread, failed())
    first = Notice.objects.order_by("pk")[0]
    Notice.objects.filter(pk=first.pk).update(done_at=timezone.now() - timedelta(days=tasks.NOTICE_DAYS + 1))
    tasks.prune()
    assert not Notice.objects.filter(pk=first.pk).exists()
    assert Notice.objects.count() == 1
