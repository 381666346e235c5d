"""Finding messages by their words, on each of the two databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from tests.on_postgres import assert_they_pass_there
from threads import search_index
from threads.models import Thread, ThreadMessage
from threads.search import Part, search, surroundings, words_of
from threads.services import add_message, change, create_thread, delete_thread

pytestmark = pytest.mark.django_db
Role, Status = ThreadMessage.Role, ThreadMessage.Status


def say(thread: Thread, content: str, **fields: Any) -> ThreadMessage:
    with change(thread.pk, ring=False) as locked:
        return add_message(locked, **{"role": Role.USER, "content": content, **fields})


def found(user: User, query: str, **options: Any) -> list[int]:
    return [hit.message.pk for hit in search(user, query, **options).hits]


def test_all_words_must_be_there_and_the_last_may_be_a_beginning(thread: Thread, owner: User) -> None:
    both = say(thread, "The connection pool now opens at start.")
    say(thread, "The swimming pool is closed.")
    assert found(owner, "connection pool") == [both.pk]
    assert found(owner, "POOL conn") == [both.pk]
    assert found(owner, "conn pool") == []
    assert len(found(owner, "the poo")) == 2
    assert found(owner, "nowhere") == found(owner, "") == found(owner, " ,;! ") == []


def test_marks_punctuation_and_letters_of_any_script_are_no_hindrance(thread: Thread, owner: User) -> None:
    rows = {
        word: say(thread, text).pk
        for word, text in {
            "cafe": "Meet me at the Café.",
            "ЧТО НОВОГО": "Скажи, что нового?",
            "Ärger": "“ärger” — nothing else",
            "report.csv": "It is in /data/2026/report.csv, line 7",
            "data/2026": "Look into data/2026 first",
            "snake_case": "call it snake_case(1)",
            "C++": "C++ or Rust",
            "한국": "한국어 문장",
        }.items()
    }
    for word, pk in rows.items():
        assert pk in found(owner, word), word


@pytest.mark.parametrize(
    "query",
    ['"', "'", "a OR b", "NOT", "NEAR(a b)", "content:x", "x*", "(", "a & | !", ":*", "\\", "%s %d", "\x00", "\ud800",
     "owner 1", "'owner 1'", "-" * 500, "a " * 500, "<->", "{x}", "^x", "x\ny"],
)  # fmt: skip
def test_what_is_typed_is_never_syntax(thread: Thread, owner: User, query: str) -> None:
    say(thread, "Something quite different")
    assert found(owner, query) == []


def test_other_peoples_messages_are_not_there(
    thread: Thread, owner: User, member: User, stranger: User, agent: Agent
) -> None:
    mine = say(thread, "a secret word")
    theirs = say(create_thread(agent, owner=member), "their secret word")
    assert found(owner, "secret") == [mine.pk]
    assert found(member, "secret") == [theirs.pk]
    assert found(stranger, "secret") == []
    member.memberships.all().delete()
    assert found(member, "secret") == []


def test_one_agents_messages_alone(thread: Thread, owner: User, agent: Agent) -> None:
    other = create_agent(workspace=owner.home_workspace(), author=owner, name="Other")
    first = say(thread, "needle")
    second = say(create_thread(other, owner=owner), "needle")
    assert found(owner, "needle", agent_id=agent.pk) == [first.pk]
    assert found(owner, "needle", agent_id=other.pk) == [second.pk]


def test_a_text_in_flight_is_found_once_it_is_settled_and_not_after_it_is_gone(thread: Thread, owner: User) -> None:
    row = say(thread, "half a sentence", role=Role.ASSISTANT, status=Status.STREAMING)
    rows = ThreadMessage.objects.filter(pk=row.pk)
    rows.filter(status=Status.STREAMING).update(content="half a sentence and more")
    assert found(owner, "sentence") == []
    assert rows.filter(status=Status.STREAMING).update(content="the whole sentence", status=Status.COMPLETE) == 1
    assert found(owner, "sentence") == [row.pk]
    assert found(owner, "half") == []
    rows.update(content="another text")
    assert found(owner, "sentence") == []
    assert found(owner, "another") == [row.pk]
    delete_thread(thread)
    assert found(owner, "another") == []


def test_what_waits_is_found_when_its_turn_has_come(thread: Thread, owner: User) -> None:
    waiting = say(thread, "later please", queued=True)
    assert found(owner, "later") == []
    ThreadMessage.objects.filter(pk=waiting.pk).update(status=Status.COMPLETE, seq=7)
    assert found(owner, "later") == [waiting.pk]


def test_bulk_rows_are_found_too(thread: Thread, owner: User) -> None:
    rows = [ThreadMessage(thread=thread, seq=number, role=Role.USER, content=f"row {number}") for number in (1, 2)]
    ThreadMessage.objects.bulk_create(rows)
    assert len(found(owner, "row")) == 2
    assert len(found(owner, "row 2")) == 1


def test_the_best_come_first_and_pages_follow_each_other(thread: Thread, owner: User) -> None:
    long = say(thread, "pool " + "and other things that are said at length " * 30)
    short = say(thread, "pool, pool and pool")
    assert found(owner, "pool") == [short.pk, long.pk]
    first, second = search(owner, "pool", count=1), search(owner, "pool", start=1, count=1)
    assert [hit.message.pk for hit in (*first.hits, *second.hits)] == [short.pk, long.pk]
    assert first.total == second.total == 2


def test_a_tools_result_leads_to_the_answer_that_asked_for_it(thread: Thread, owner: User) -> None:
    asking = say(thread, "", role=Role.ASSISTANT, run_id=5, tool_calls=[{"id": "a", "name": "look", "arguments": ""}])
    for _ in range(2):
        say(thread, "a needle", role=Role.TOOL, run_id=5, name="look")
    hits = search(owner, "needle").hits
    assert [hit.article_id for hit in hits] == [asking.pk, asking.pk]


def test_an_enormous_text_is_no_hindrance_to_being_stored(thread: Thread, owner: User) -> None:
    row = say(thread, "needle " + " ".join(f"w{number:x}é" for number in range(120_000)) + " " + "x" * 5000)
    assert found(owner, "needle") == [row.pk]


def test_changing_the_table_does_not_lose_what_comes_later(thread: Thread, owner: User) -> None:
    if connection.vendor == "sqlite":  # where Django makes a table anew to change it
        with connection.cursor() as cursor:
            for name in search_index.TRIGGERS:
                cursor.execute(f"DROP TRIGGER {name}")
    search_index.keep_triggers(using="default")
    search_index.keep_triggers(using="default")
    row = say(thread, "later")
    assert found(owner, "later") == [row.pk]


def marked(text: str, query: str) -> str:
    return "".join(f"[{part.text}]" if part.is_hit else part.text for part in surroundings(text, words_of(query)))


def test_a_hit_is_shown_in_its_surroundings_as_plain_text() -> None:
    text = (
        "## Releases\n\n" + "Nothing of note. " * 30 + "The **Café** opens\nits pool at <b>start</b>. " + "More. " * 90
    )
    shown = marked(text, "cafe poo")
    assert "The [Café] opens its [pool] at <b>start</b>." in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert len(shown) < 300
    assert surroundings("nothing here", words_of("absent")) == [Part("nothing here", False)]
    assert marked("a snake_case word, a snake", "snake case") == "a [snake]_[case] word, a [snake]"


def test_all_of_this_and_of_the_list_holds_on_postgresql(tmp_path: Path) -> None:
    assert_they_pass_there(tmp_path, Path(__file__), Path(__file__).with_name("test_list.py"))
