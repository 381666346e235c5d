"""The list of threads: its groups, what a row says, and what is done with several at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from runs.models import Notice, Run
from runs.services import start_run
from tests.conftest import ClientOf
from tests.threads.test_search import say
from threads.models import Thread, ThreadMessage
from threads.reading import mark_read
from threads.services import create_thread

Role = ThreadMessage.Role


@pytest.fixture
def page(client_of: ClientOf, owner: User) -> Client:
    return client_of(owner)


def make(agent: Agent, title: str, **fields: object) -> Thread:
    owner = agent.created_by
    assert owner is not None
    thread = create_thread(agent, owner=owner, title=title)
    Thread.objects.filter(pk=thread.pk).update(**fields)
    return thread


def groups(client: Client, query: str = "") -> dict[str, list[str]]:
    """The titles in the list by the headings above them."""
    found: dict[str, list[str]] = {}
    html = client.get(f"/threads/{query}").text
    for part in html.split('class="group-head"')[1:]:
        heading = re.search(r">(.*?)</h2>", part)
        assert heading
        found[heading[1]] = re.findall(r'class="clip" href="/threads/\d+/">(.*?)</a>', part)
    return found


def row(client: Client, thread: Thread, query: str = "") -> str:
    found = re.search(rf'<li id="thr-{thread.pk}".*?</li>', client.get(f"/threads/{query}").text, re.DOTALL)
    assert found
    return found[0]


def begin(thread: Thread, status: str = "running") -> Run:
    run = start_run(thread, text="Hello", author=thread.owner, trigger=Run.Trigger.CHAT)
    ended = None if status in ("queued", "running", "waiting") else timezone.now()
    Run.objects.filter(pk=run.pk).update(status=status, finished_at=ended)
    return run


def test_threads_stand_in_groups_what_needs_the_person_first(page: Client, agent: Agent) -> None:
    now = timezone.now()
    make(agent, "of today", updated_at=now)
    make(agent, "of last week", updated_at=now - timedelta(days=7))
    make(agent, "pinned", pinned_at=now, updated_at=now - timedelta(days=40))
    make(agent, "archived", archived_at=now)
    begin(make(agent, "works"))
    begin(make(agent, "queued"), "queued")
    begin(make(agent, "waits"), "waiting")
    failed = make(agent, "failed")
    run = begin(failed, "failed")
    Notice.objects.create(owner=failed.owner, agent=agent, thread=failed, run=run, strength="failed", text="It failed.")
    assert groups(page) == {
        "Pinned": ["pinned"],
        "Needs you": ["failed", "waits"],
        "Working": ["queued", "works"],
        "Today": ["of today"],
        "Earlier": ["of last week"],
    }
    assert groups(page, "?state=needs") == {"Today": ["failed", "waits"]}
    assert groups(page, "?state=working") == {"Today": ["queued", "works"]}
    assert groups(page, "?state=archived") == {"Today": ["archived"]}
    Notice.objects.update(done_at=now)
    assert groups(page)["Today"] == ["failed", "of today"]


def test_later_pages_leave_out_what_stands_on_top(page: Client, agent: Agent) -> None:
    now = timezone.now()
    for number in range(45):
        make(agent, f"row {number}", updated_at=now - timedelta(days=number))
    make(agent, "pinned", pinned_at=now, updated_at=now - timedelta(days=42, hours=1))
    first = page.get("/threads/").text
    assert [len(titles) for titles in groups(page).values()] == [1, 1, 39]
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    assert groups(page, older[1].replace("&amp;", "&")) == {"Earlier": [f"row {number}" for number in range(40, 45)]}


def test_a_row_says_what_was_said_last_and_by_whom(page: Client, thread: Thread) -> None:
    assert "Nothing is said yet" in row(page, thread)
    say(thread, "What is **new**?")
    assert "You: What is new?" in row(page, thread)
    say(thread, "## News\n\n<b>Two</b> releases landed.", role=Role.ASSISTANT)
    assert "News &lt;b&gt;Two&lt;/b&gt; releases landed." in row(page, thread)
    say(thread, "", role=Role.ASSISTANT, status="failed", error_code="x", error_message="The key was refused.")
    assert "The key was refused." in row(page, thread)
    begin(thread, "failed")
    assert 'data-state="failed"' in row(page, thread)


def test_unread_is_a_dot_and_a_word_and_goes_with_reading(page: Client, thread: Thread, owner: User) -> None:
    answer = say(thread, "News", role=Role.ASSISTANT)
    assert "Unread:" in row(page, thread)
    assert groups(page, "?state=unread") == {"Today": ["What changed"]}
    mark_read(thread, owner, seq=answer.seq or 0)
    Thread.objects.filter(pk=thread.pk).update(last_seq=answer.seq)
    mark_read(Thread.objects.get(pk=thread.pk), owner, seq=answer.seq or 0)
    assert "Unread:" not in row(page, thread)
    assert groups(page, "?state=unread") == {}


def test_a_schedules_thread_is_one_row_with_its_runs_of_today(page: Client, thread: Thread, owner: User) -> None:
    Thread.objects.filter(pk=thread.pk).update(thread_type=Thread.Type.SCHEDULE)
    for number in range(50):
        run = start_run(thread, text=f"Look {number}", author=owner, trigger=Run.Trigger.SCHEDULE)
        Run.objects.filter(pk=run.pk).update(status="succeeded", finished_at=timezone.now())
    yesterday = timezone.now() - timedelta(days=1)
    Run.objects.filter(pk__in=Run.objects.order_by("pk")[:3].values("pk")).update(queued_at=yesterday)
    say(thread, "Nothing new.", role=Role.ASSISTANT)
    assert groups(page) == {"Today": ["What changed"]}
    assert "47 runs today · last: Nothing new." in row(page, thread)
    assert "Unread:" not in row(page, thread)


def test_the_list_is_filtered_by_agent_and_by_words(page: Client, agent: Agent, owner: User) -> None:
    other = create_agent(workspace=owner.home_workspace(), author=owner, name="Other")
    make(agent, "first")
    make(other, "second")
    assert groups(page, f"?agent={other.pk}") == {"Today": ["second"]}
    assert groups(page, "?q=fir") == groups(page, "?q=scou") == {"Today": ["first"]}
    assert "No thread has these words" in page.get("/threads/?q=absent").text
    for query in ("?state=nonsense", "?agent=x", "?agent=99999999999999999999", "?before=x"):
        assert page.get(f"/threads/{query}").status_code == 200


def test_the_page_asks_again_and_hears_nothing_while_nothing_changed(page: Client, thread: Thread) -> None:
    found = re.search(r'hx-get="(\?seen=\w+)"', page.get("/threads/").text)
    assert found
    address = f"/threads/{found[1]}"
    assert page.get(address, headers={"HX-Request": "true"}).status_code == 204
    say(thread, "News")
    again = page.get(address, headers={"HX-Request": "true"})
    assert again.status_code == 200
    assert "<html" not in again.text
    assert "seen=" not in re.sub(r'hx-get="\?seen=\w+"', "", again.text)


def test_several_are_archived_at_once_and_undo_brings_them_back(page: Client, agent: Agent) -> None:
    threads = [make(agent, title) for title in ("one", "two", "three")]
    ids = [str(thread.pk) for thread in threads[:2]]
    answer = page.post("/threads/arrange/", {"do": "archive", "thread": ids, "back": "agent=1", "at": threads[2].pk})
    assert (answer.status_code, answer["Location"]) == (303, f"/threads/?agent=1#thr-{threads[2].pk}")
    assert groups(page) == {"Today": ["three"]}
    shown = page.post("/threads/arrange/", {"one": f"archive {threads[2].pk}"}, follow=True).text
    assert "1 thread archived." in shown
    undo = re.search(r'action="(/threads/arrange/\?do=restore[^"]+)"', shown)
    assert undo
    page.post(undo[1].replace("&amp;", "&"))
    assert groups(page) == {"Today": ["three"]}


def test_pinning_and_marking_change_nothing_of_the_thread(page: Client, thread: Thread) -> None:
    say(thread, "News", role=Role.ASSISTANT)
    before = Thread.objects.values("version", "updated_at").get()
    for deed, sign in {"pin": "Unpin", "unpin": "Pin", "unread": "Unread:", "read": "Mark unread"}.items():
        page.post("/threads/arrange/", {"one": f"{deed} {thread.pk}"})
        assert sign in row(page, thread), deed
    assert Thread.objects.values("version", "updated_at").get() == before


def test_deleting_asks_once_more_and_spares_what_is_being_worked_on(page: Client, agent: Agent) -> None:
    quiet, busy = make(agent, "quiet"), make(agent, "busy")
    begin(busy)
    asked = page.post("/threads/arrange/", {"do": "delete", "thread": [quiet.pk, busy.pk]})
    assert "Delete 2 threads?" in asked.text
    assert Thread.objects.count() == 2
    done = page.post("/threads/arrange/", {"do": "delete", "sure": "1", "thread": [quiet.pk, busy.pk]}, follow=True)
    assert "1 thread deleted." in done.text
    assert "busy: This thread is being worked on." in done.text
    assert list(Thread.objects.all()) == [busy]


def test_bad_input_is_refused_or_does_nothing(page: Client, thread: Thread) -> None:
    assert page.post("/threads/arrange/", {"do": "explode", "thread": thread.pk}).status_code == 422
    for fields in ({}, {"do": "archive"}, {"one": "archive x"}, {"do": "archive", "thread": ["x", "9" * 40]}):
        assert page.post("/threads/arrange/", fields).status_code == 303
    assert Thread.objects.get().archived_at is None


@pytest.mark.parametrize("deed", ["archive", "restore", "pin", "unpin", "read", "unread", "delete"])
def test_a_strangers_hands_reach_nothing(deed: str, client_of: ClientOf, stranger: User, thread: Thread) -> None:
    say(thread, "News", role=Role.ASSISTANT)
    before = Thread.objects.values().get()
    client = client_of(stranger)
    client.post("/threads/arrange/", {"do": deed, "sure": "1", "thread": thread.pk})
    assert Thread.objects.values().get() == before
    assert groups(client) == groups(client, "?state=unread") == {}
    assert thread.title not in client.post("/threads/arrange/", {"do": "delete", "thread": thread.pk}).text
