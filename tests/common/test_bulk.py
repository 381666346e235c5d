"""Rows written with SQL that is made once are what Django itself would have written."""

from __future__ import annotations

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from agents.models import Agent
from agents.services import create_agent
from common.bulk import give_keys, insert_each, save_each
from threads.models import Thread, ThreadMessage


@pytest.fixture
def thread(member: User) -> Thread:
    agent: Agent = create_agent(workspace=member.home_workspace(), author=member, name="Bulk")
    return Thread.objects.create(agent=agent, owner=member)


def lines(thread: Thread, count: int) -> list[ThreadMessage]:
    role = ThreadMessage.Role.USER
    return [
        ThreadMessage(thread=thread, seq=seq, role=role, content=f"line {seq}", tool_calls=[{"id": f"call-{seq}"}])
        for seq in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [1, 3, 250])
def test_inserted_rows_have_their_keys_in_order_and_read_as_they_were(thread: Thread, count: int) -> None:
    rows = lines(thread, count)
    insert_each(rows)
    assert [row.pk for row in rows] == sorted({row.pk for row in rows})
    stored = list(ThreadMessage.objects.filter(thread=thread).order_by("pk"))
    names = [field.attname for field in ThreadMessage._meta.concrete_fields]
    assert [[getattr(row, name) for name in names] for row in stored] == [
        [getattr(row, name) for name in names] for row in rows
    ]
    assert not any(row._state.adding for row in rows)


def test_times_that_a_field_sets_by_itself_are_set(thread: Thread) -> None:
    other = Thread(agent=thread.agent, owner=thread.owner)
    insert_each([other])
    stored = Thread.objects.get(pk=other.pk)
    assert stored.created_at == other.created_at
    assert stored.created_at >= thread.created_at


def test_rows_may_have_their_keys_before_they_are_inserted(thread: Thread) -> None:
    insert_each(lines(thread, 2))
    rows = lines(thread, 5)[2:]
    with transaction.atomic():
        give_keys(rows)
        rows[0].parent_id, rows[2].parent_id = rows[2].pk, rows[1].pk
        insert_each(rows)
    later = ThreadMessage(thread=thread, seq=9, role=ThreadMessage.Role.USER)
    insert_each([later])
    stored = list(ThreadMessage.objects.filter(thread=thread).order_by("pk").values_list("seq", "parent__seq"))
    assert stored == [(1, None), (2, None), (3, 5), (4, None), (5, 4), (9, None)]
    assert later.pk > rows[2].pk


def test_choices_and_texts_of_one_column_are_both_texts(thread: Thread) -> None:
    rows = lines(thread, 3)
    rows[1].role = "assistant"
    insert_each(rows)
    rows[2].status = ThreadMessage.Status.FAILED
    save_each(rows, ["status"])
    stored = ThreadMessage.objects.filter(thread=thread).order_by("seq").values_list("role", "status")
    assert list(stored) == [("user", "complete"), ("assistant", "complete"), ("user", "failed")]


@pytest.mark.parametrize("names", [["x" * 201, "short"], ["x" * 201] * 2])
def test_what_is_too_long_is_refused_or_stored_whole_and_never_cut(thread: Thread, names: list[str]) -> None:
    rows = lines(thread, 2)
    for row, name in zip(rows, names, strict=True):
        row.name = name
    try:
        with transaction.atomic():
            insert_each(rows)
    except DataError:  # SQLite keeps texts of any length
        assert not ThreadMessage.objects.filter(thread=thread).exists()
    else:
        assert list(ThreadMessage.objects.order_by("seq").values_list("name", flat=True)) == names


def test_each_row_is_saved_with_its_own_values_and_nothing_else_of_it(thread: Thread) -> None:
    rows = lines(thread, 3)
    insert_each(rows)
    for row in rows:
        row.content, row.tool_calls, row.html = f"said {row.seq}", [], "never saved"
    for part in (rows[:1], rows[1:]):
        save_each(part, ["content", "tool_calls"])
    stored = ThreadMessage.objects.filter(thread=thread).order_by("seq").values_list("content", "tool_calls", "html")
    assert list(stored) == [(f"said {seq}", [], "") for seq in (1, 2, 3)]


def test_nothing_to_write_is_no_journey(thread: Thread) -> None:
    with CaptureQueriesContext(connection) as asked:
        insert_each([])
        save_each([], ["content"])
    assert not asked.captured_queries
