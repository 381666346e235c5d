"""Queries whose SQL is made once give what Django's own give, whatever the values, in every thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership, User
from common.prepared import prepared, prepared_update

made: list[Any] = []


@prepared
def members(user_id: Any, email: Any) -> QuerySet[Membership]:
    made.append(user_id)
    rows = Membership.objects.filter(user=user_id, user__email=email, user__is_active=True)
    return rows.select_related("user", "workspace").order_by("-pk")[:3]


@prepared
def emails_after(user_id: Any) -> QuerySet[User, str]:
    return User.objects.filter(pk__gt=user_id).order_by("pk").values_list("email", flat=True)


@prepared
def members_among(user_ids: Any) -> QuerySet[Membership]:
    return Membership.objects.filter(user__id__in=user_ids).order_by("pk")


@prepared
def locked(user_id: Any) -> QuerySet[User]:
    return User.objects.select_for_update().filter(pk=user_id).prefetch_related("memberships")


def test_each_value_gives_its_own_rows_with_what_is_joined_to_them(member: User, stranger: User) -> None:
    for person in (member, stranger, member):
        rows = members(person.pk, person.email)
        assert rows == list(Membership.objects.filter(user=person))
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert {row.user for row in rows} == {person}
            assert all(row.workspace.name for row in rows)
        assert not asked.captured_queries
    assert members(member.pk, stranger.email) == []
    assert len(made) == 1


def test_single_columns_locks_and_prefetches_work_as_ever(member: User, stranger: User) -> None:
    first = min(member, stranger, key=lambda person: person.pk)
    assert emails_after(first.pk) == list(
        User.objects.filter(pk__gt=first.pk).order_by("pk").values_list("email", flat=True)
    )
    assert emails_after(max(member.pk, stranger.pk) + 1_000_000) == []
    (row,) = locked(member.pk)
    assert list(row.memberships.all()) == list(Membership.objects.filter(user=member))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_as_many_values_as_there_are_can_be_compared_with(owner: User, count: int) -> None:
    people = [User.objects.create(email=f"{number}@here.test") for number in range(6)]
    for person in people:
        Membership.objects.create(user=person, workspace=owner.home_workspace())
    wanted = tuple(person.pk for person in people[1 : count + 1])
    assert [row.user_id for row in members_among(wanted)] == list(wanted)


def test_values_are_never_part_of_the_sql(member: User) -> None:
    assert members(member.pk, "' OR 1=1 --") == []
    assert members(member.pk, "%s") == []


def test_a_value_too_many_or_too_few_is_refused(member: User) -> None:
    with pytest.raises(ValueError, match="zip"):
        members(member.pk)


@pytest.mark.django_db(transaction=True)
def test_threads_that_ask_at_once_each_get_their_own_answer() -> None:
    people = [User.objects.create(email=f"{number}@here.test") for number in range(8)]

    def ask(person: User) -> bool:
        try:
            return all(emails_after(person.pk - 1)[0] == person.email for _ in range(50))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, people))


@prepared_update
def renamed(user_id: Any, email: Any, name: Any) -> tuple[QuerySet[User], dict[str, Any]]:
    made.append(name)
    return User.objects.filter(pk=user_id, email=email), {"name": name, "is_active": True, "last_login": Now()}


def test_an_update_sets_its_values_in_the_rows_it_finds_and_says_how_many(member: User, stranger: User) -> None:
    before = len(made)
    for name in ("%s", "' OR 1=1 --"):
        assert renamed(member.pk, member.email, name) == 1
        member.refresh_from_db()
        assert member.name == name
        assert member.last_login is not None
    assert renamed(member.pk, stranger.email, "nobody") == 0
    stranger.refresh_from_db()
    assert stranger.name != "nobody"
    assert len(made) == before + 1


def test_an_update_with_a_value_too_many_or_too_few_is_refused(member: User) -> None:
    with pytest.raises(ValueError, match="zip"):
        renamed(member.pk)
