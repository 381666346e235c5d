"""What is news to whom: an answer that came since the person was last at the end of its thread."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from tests.conftest import ClientOf
from threads.models import Thread, ThreadMessage, ThreadRead
from threads.reading import mark_read, mark_unread, place_of, with_unread
from threads.services import add_message, change

Role, Status = ThreadMessage.Role, ThreadMessage.Status


def is_unread(thread: Thread, user: User) -> bool:
    return bool(with_unread(Thread.objects.filter(pk=thread.pk), user).get().unread)  # type: ignore[attr-defined]


def add(thread: Thread, role: str = Role.ASSISTANT, content: str = "An answer.", **fields: Any) -> ThreadMessage:
    with change(thread.pk, ring=False) as locked:
        message = add_message(locked, role=role, content=content, **fields)
    thread.refresh_from_db()
    return message


def test_an_answer_is_unread_until_it_was_read_and_the_next_one_is_news_again(thread: Thread, owner: User) -> None:
    add(thread, Role.USER, "A question?")
    assert not is_unread(thread, owner)
    answer = add(thread)
    assert is_unread(thread, owner)
    mark_read(thread, owner, seq=answer.seq or 0)
    assert not is_unread(thread, owner)
    add(thread)
    assert is_unread(thread, owner)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"status": Status.FAILED, "content": "", "error_code": "timeout"}, True),
        ({"status": Status.STREAMING}, False),
        ({"status": Status.STOPPED}, False),
        ({"content": ""}, False),
        ({"role": Role.TOOL}, False),
        ({"role": Role.USER}, False),
    ],
)
def test_what_says_nothing_new_is_no_news(fields: dict[str, str], expected: bool, thread: Thread, owner: User) -> None:
    add(thread, **fields)
    assert is_unread(thread, owner) is expected


def test_a_tab_that_is_behind_takes_nothing_back(thread: Thread, owner: User) -> None:
    first, last = add(thread), add(thread)
    mark_read(thread, owner, seq=last.seq or 0)
    mark_read(thread, owner, seq=first.seq or 0)
    assert not is_unread(thread, owner)
    mark_read(thread, owner, seq=1000)
    add(thread)
    assert is_unread(thread, owner), "what is not there yet cannot have been read"


def test_each_person_reads_for_themselves(thread: Thread, owner: User, member: User) -> None:
    answer = add(thread)
    mark_read(thread, owner, seq=answer.seq or 0)
    assert is_unread(thread, member)
    assert not is_unread(thread, owner)


def test_marking_as_unread_brings_the_last_answer_back(thread: Thread, owner: User) -> None:
    mark_unread(thread, owner)
    assert not is_unread(thread, owner), "there is nothing in it to be read"
    add(thread)
    last = add(thread)
    mark_read(thread, owner, seq=last.seq or 0)
    add(thread, Role.USER, "Thank you.")
    mark_unread(thread, owner)
    assert is_unread(thread, owner)
    place = place_of(thread, owner)
    assert place is not None
    assert place.seq == (last.seq or 0) - 1


def test_a_list_with_what_is_unread_is_one_query(
    thread: Thread, owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        add(thread)
    with django_assert_num_queries(1):
        rows = list(with_unread(Thread.objects.for_user(owner), owner))
    assert [row.unread for row in rows] == [True]  # type: ignore[attr-defined]


@pytest.fixture
def browser(client_of: ClientOf, owner: User) -> Client:
    return client_of(owner)


def test_the_page_says_what_was_seen_and_the_menu_takes_it_back(browser: Client, thread: Thread, owner: User) -> None:
    answer = add(thread)
    assert browser.post(f"/threads/{thread.pk}/read/", {"seq": answer.seq}).status_code == 204
    assert not is_unread(thread, owner)
    assert f'data-read="{answer.seq}"' in browser.get(f"/threads/{thread.pk}/").text
    done = browser.post(f"/threads/{thread.pk}/unread/")
    assert (done.status_code, done["Location"]) == (303, "/threads/")
    assert is_unread(thread, owner)


@pytest.mark.parametrize("seq", ["", "-1", "many", "9" * 30])
def test_a_place_that_is_no_number_is_refused_with_a_sentence(browser: Client, thread: Thread, seq: str) -> None:
    answer = browser.post(f"/threads/{thread.pk}/read/", {"seq": seq}, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert "whole number" in answer.json()["error"]["message"]
    assert not ThreadRead.objects.exists()


@pytest.mark.parametrize("deed", ["read", "unread"])
def test_nobody_else_reads_a_thread(
    deed: str, client_of: ClientOf, thread: Thread, member: User, stranger: User
) -> None:
    add(thread)
    for person in (member, stranger):
        assert client_of(person).post(f"/threads/{thread.pk}/{deed}/", {"seq": 1}).status_code == 404
    assert not ThreadRead.objects.exists()
