"""A thread that was saved as JSON is a thread again: all of it, and nothing but what it may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from common.errors import ZergError
from runs.models import Run
from tests.conftest import ClientOf
from tests.threads.conversations import talk
from threads.drafts import written_in
from threads.export import as_json
from threads.importing import MOST_BYTES, NOT_MADE, import_thread
from threads.models import Thread, ThreadMessage
from threads.reading import with_unread
from threads.search import search
from threads.services import add_message, change
from triggers.invariants import breaks

File = dict[str, Any]
CALLS = [{"id": "call_1", "name": "search", "arguments": '{"q": "news"}'}]


def saved(thread: Thread) -> File:
    found: File = json.loads("".join(as_json(thread)))
    return found


def brought(user: User, file: Any, **options: Any) -> Thread:
    return import_thread(user, json.dumps(file).encode(), **options)


def without_ids(file: File) -> File:
    """What has to be the same in two files of one conversation: ids become places, the rest stays."""
    place: dict[int | None, int] = {row["id"]: number for number, row in enumerate(file["messages"])}
    own = ("id", "thread_id", "run_id", "version", "client_message_id", "parent_id")
    rows = [
        {name: value for name, value in row.items() if name not in own} | {"parent": place.get(row["parent_id"])}
        for row in file["messages"]
    ]
    head = {name: value for name, value in file.items() if name not in ("exported_at", "leaf_id", "messages")}
    return {**head, "leaf": place.get(file["leaf_id"]), "messages": rows}


@pytest.fixture
def full(thread: Thread, owner: User) -> Thread:
    """Two branches, a summary, a call with its result, thoughts, costs, a failure: all that a file can hold."""
    question, _ = talk(thread, owner, "question “ü” \u2028", "first *answer*")
    with change(thread.pk) as locked:
        locked.leaf = question
        cost: dict[str, Any] = {
            "input_tokens": 9,
            "cached_tokens": 4,
            "output_tokens": 2,
            "cost_usd": Decimal("0.00012"),
        }
        agents: dict[str, Any] = {"role": "assistant", "source": "agent"}
        add_message(locked, **agents, reasoning="Let me look.", tool_calls=CALLS, run_id=7, **cost)
        add_message(locked, role="tool", source="tool", content="<b>news</b>", tool_call_id="call_1", name="search")
        add_message(locked, role="system", source="system", kind="summary", content="So far.", covers_seq=2)
        failed: dict[str, Any] = {
            "status": "failed",
            "error_code": "timeout",
            "error_message": "Too late.",
            "error_detail": "504",
        }
        add_message(locked, **agents, content="second", client_message_id="mine", **failed)
        locked.memory_strategy, locked.busy_policy = "summary", "refuse"
        locked.save(update_fields=["memory_strategy", "busy_policy"])
    Thread.objects.filter(pk=thread.pk).update(created_at=timezone.now() - timedelta(days=400))
    thread.refresh_from_db()
    return thread


def test_a_thread_that_is_saved_brought_and_saved_again_is_the_same_but_for_its_ids(full: Thread, owner: User) -> None:
    file = saved(full)
    copy = brought(owner, file)
    again = saved(copy)
    assert without_ids(again) == without_ids(file)
    assert copy.pk != full.pk
    assert {row["run_id"] for row in again["messages"]} == {None}, "runs are not in a file"
    assert {row["thread_id"] for row in again["messages"]} == {copy.pk}
    assert not {row["id"] for row in file["messages"]} & {row["id"] for row in again["messages"]}


def test_what_its_messages_took_is_what_the_thread_took(full: Thread, owner: User) -> None:
    copy = brought(owner, saved(full))
    copy.refresh_from_db()
    assert (copy.input_tokens, copy.cached_tokens, copy.output_tokens) == (9, 4, 2)
    assert (copy.cost_usd, copy.unpriced) == (Decimal("0.00012"), False)
    assert not [line for line in breaks() if line.startswith(f"thread {copy.pk}:")]


def test_it_belongs_to_who_brings_it_and_is_no_news_and_runs_nothing(full: Thread, owner: User, stranger: User) -> None:
    theirs = create_agent(workspace=stranger.home_workspace(), author=stranger, name="Mine")
    copy = brought(stranger, saved(full))
    assert (copy.owner, copy.agent) == (stranger, theirs)
    assert not Thread.objects.for_user(owner).filter(pk=copy.pk).exists()
    assert not with_unread(Thread.objects.filter(pk=copy.pk), stranger).get().unread  # type: ignore[attr-defined]
    assert not Run.objects.exists()


def test_the_agent_is_the_one_that_was_chosen_or_is_called_the_same_or_is_the_first(
    thread: Thread, owner: User, stranger: User, agent: Agent
) -> None:
    other = create_agent(workspace=agent.workspace, author=owner, name="Other")
    assert brought(owner, saved(thread)).agent == agent
    assert brought(owner, saved(thread), agent=other).agent == other
    assert brought(owner, {**saved(thread), "agent": "Nobody"}).agent == other
    with pytest.raises(ZergError, match="Make one first"):
        brought(stranger, saved(thread))


def test_what_waited_is_a_draft_and_what_was_being_written_ends(thread: Thread, owner: User) -> None:
    talk(thread, owner, "question", "half an ans")
    with change(thread.pk) as locked:
        ThreadMessage.objects.filter(content="half an ans").update(status="streaming")
        for text in ("And then?", "And now?"):
            add_message(locked, queued=True, role="user", content=text)
        add_message(locked, queued=True, role="user", content="Taken back")
        ThreadMessage.objects.filter(content="Taken back").update(status="stopped")
    copy = brought(owner, saved(thread))
    rows = list(copy.messages.order_by("pk").values_list("content", "status", "seq"))
    assert rows == [("question", "complete", 1), ("half an ans", "stopped", 2), ("Taken back", "stopped", None)]
    assert written_in(copy, by=owner).text == "And then?\n\nAnd now?"


def test_a_call_that_nobody_has_answered_is_never_made(thread: Thread, owner: User) -> None:
    talk(thread, owner, "question", "Let me look.")
    ThreadMessage.objects.filter(thread=thread, role="assistant").update(tool_calls=CALLS)
    copy = brought(owner, saved(thread))
    assert copy.leaf is not None
    assert (copy.leaf.role, copy.leaf.content, copy.leaf.status) == ("tool", NOT_MADE, "failed")
    assert copy.leaf.tool_call_id == "call_1"


def test_what_a_tool_gave_back_is_found_in_the_message_that_asked_for_it(full: Thread, owner: User) -> None:
    copy = brought(owner, saved(full))
    asking = copy.messages.exclude(tool_calls=[]).get()
    (hit,) = search(owner, "news", thread_id=copy.pk).hits
    assert (hit.message.role, hit.article_id) == ("tool", asking.pk)


def test_hostile_text_is_drawn_by_the_renderer_and_html_of_the_file_is_not_read(
    thread: Thread, owner: User, client_of: ClientOf
) -> None:
    talk(thread, owner, "<img src=x onerror=alert(1)>", "<script>alert(2)</script> [x](javascript:alert(3)) **bold**")
    file = saved(thread)
    for row in file["messages"]:
        row["html"] = "<script>alert(4)</script>"
    file["title"] = "<script>alert(5)</script>"
    copy = brought(owner, file)
    assert set(copy.messages.values_list("html", flat=True)) == {""}
    page = client_of(owner).get(f"/threads/{copy.pk}/").text
    for piece in ("<script>alert", "<img src", 'href="javascript:'):
        assert piece not in page
    assert "<strong>bold</strong>" in page


def change_of(path: str, value: Any) -> Callable[[File], File]:
    def change(file: File) -> File:
        *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
        at: Any = file
        for step in way:
            at = at[step]
        at[last] = value
        return file

    return change


BROKEN: list[tuple[Any, str]] = [
    (change_of("format", "other"), "format"),
    (lambda file: [file], "The file"),
    (lambda file: {}, "The file"),
    (change_of("title", "x" * 201), "title"),
    (change_of("title", "a\0b"), "title"),
    (change_of("messages", {}), "messages"),
    (change_of("leaf_id", 987_654), "leaf_id"),
    (change_of("leaf_id", None), "leaf_id"),
    (change_of("created_at", "9999-12-31T23:59:59Z"), "created_at"),
    (change_of("busy_policy", "explode"), "busy_policy"),
    (change_of("memory_strategy", "elephant"), "memory_strategy"),
    (change_of("messages.0", None), "messages[0]"),
    (change_of("messages.0.seq", 2), "messages[0].seq"),
    (change_of("messages.0.seq", None), "messages[0].seq"),
    (change_of("messages.1.id", -1), "messages[1].id"),
    (change_of("messages.1.parent_id", 987_654), "messages[1].parent_id"),
    (change_of("messages.1.role", "admin"), "messages[1].role"),
    (change_of("messages.1.status", "queued"), "messages[1].seq"),
    (change_of("messages.1.source", "nowhere"), "messages[1].source"),
    (change_of("messages.1.content", None), "messages[1].content"),
    (change_of("messages.1.content", "a\0b"), "messages[1].content"),
    (change_of("messages.1.timestamp", "yesterday"), "messages[1].timestamp"),
    (change_of("messages.1.timestamp", "2026-01-01T00:00:00"), "messages[1].timestamp"),
    (change_of("messages.1.timestamp", "9999-12-31T23:59:59Z"), "messages[1].timestamp"),
    (change_of("messages.1.timestamp", "0001-01-01T00:00:00Z"), "messages[1].timestamp"),
    (change_of("messages.1.cost_usd", "-1"), "messages[1].cost_usd"),
    (change_of("messages.1.cost_usd", "NaN"), "messages[1].cost_usd"),
    (change_of("messages.1.cost_usd", "1e30"), "messages[1].cost_usd"),
    (change_of("messages.1.usage", {"input_tokens": 2**40}), "messages[1].usage.input_tokens"),
    (change_of("messages.1.tool_calls", [{"id": 1}]), "messages[1].tool_calls[0]"),
    (change_of("messages.1.tool_calls", [{"id": "a\0", "name": "b", "arguments": ""}]), "messages[1].tool_calls[0].id"),
    (change_of("messages.1.covers_seq", 1), "messages[1].covers_seq"),
    (change_of("messages.1.error", {"code": "x" * 41, "message": ""}), "messages[1].error.code"),
]


@pytest.mark.parametrize(
    ("breaks", "where"), BROKEN, ids=[f"{number}-{where}" for number, (_, where) in enumerate(BROKEN)]
)
def test_a_broken_file_is_refused_by_the_name_of_what_is_wrong_and_nothing_is_stored(
    thread: Thread, owner: User, breaks: Callable[[File], Any], where: str
) -> None:
    talk(thread, owner, "question", "answer")
    before = (Thread.objects.count(), ThreadMessage.objects.count())
    with pytest.raises(ZergError) as refused:
        brought(owner, breaks(saved(thread)))
    assert refused.value.message.startswith(f"Nothing was imported. {where}")
    assert (Thread.objects.count(), ThreadMessage.objects.count()) == before


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[" * 100_000, b'{"format": "\xff"}', b'{"format": "\\ud800"}', b"PK\x03\x04", b"1e999"]
)
def test_what_is_no_json_is_refused_with_a_sentence(owner: User, agent: Agent, data: bytes) -> None:
    with pytest.raises(ZergError, match="Save as JSON"):
        import_thread(owner, data)


def test_a_file_that_is_too_large_is_refused(owner: User, agent: Agent) -> None:
    with pytest.raises(ZergError, match="at most 16 MiB") as refused:
        import_thread(owner, b" " * (MOST_BYTES + 1))
    assert refused.value.status == 413


# The page


@pytest.fixture
def page(client_of: ClientOf, owner: User) -> Client:
    return client_of(owner)


def upload(client: Client, content: bytes, **fields: Any) -> Any:
    return client.post("/threads/import/", {"file": SimpleUploadedFile("thread.json", content), **fields})


def test_the_list_leads_to_the_form_and_the_form_to_the_thread(page: Client, full: Thread) -> None:
    assert 'href="/threads/import/"' in page.get("/threads/").text
    assert 'enctype="multipart/form-data"' in page.get("/threads/import/").text
    answer = upload(page, "".join(as_json(full)).encode())
    copy = Thread.objects.order_by("-pk")[0]
    assert (answer.status_code, answer["Location"]) == (303, f"/threads/{copy.pk}/")
    assert "second" in page.get(answer["Location"]).text


def test_the_form_says_what_is_wrong_with_a_file_and_takes_nobody_elses_agent(
    page: Client, thread: Thread, stranger: User
) -> None:
    answer = upload(page, b'{"format": "zerg-thread", "title": 1, "messages": []}')
    assert answer.status_code == 422
    assert "Nothing was imported. title: Expected" in answer.text
    theirs = create_agent(workspace=stranger.home_workspace(), author=stranger, name="Theirs")
    answer = upload(page, "".join(as_json(thread)).encode(), agent=theirs.pk)
    assert answer.status_code == 422
    assert Thread.objects.count() == 1
    assert page.post("/threads/import/").status_code == 422
