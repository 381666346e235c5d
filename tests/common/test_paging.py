"""Long lists are read in stretches: no row is left out or shown twice, also where many have the same time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.http import QueryDict

from accounts.models import User
from agents.models import Agent
from common import paging
from common.paging import Stretch, numbered, stretch, total
from threads.models import Thread

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)


@pytest.fixture
def titles(agent: Agent, owner: User) -> list[str]:
    """Seven threads, the newest first; all but two were changed at the same moment."""
    for number in range(7):
        thread = Thread.objects.create(agent=agent, owner=owner, title=f"Number {number}")
        Thread.objects.filter(pk=thread.pk).update(updated_at=NOON if number < 5 else NOON.replace(hour=10 + number))
    return [f"Number {number}" for number in (6, 5, 4, 3, 2, 1, 0)]


def read(query: str, by: str = "updated_at") -> Stretch[Thread]:
    return stretch(Thread.objects.all(), QueryDict(query.removeprefix("?")), 3, by=by)


def titles_of(part: Stretch[Thread]) -> list[str]:
    return [thread.title for thread in part.object_list]


@pytest.mark.parametrize("by", ["updated_at", ""])
def test_the_way_down_and_up_again_shows_each_row_once(titles: list[str], by: str) -> None:
    parts = [read("?q=number", by)]
    while parts[-1].older:
        parts.append(read(parts[-1].older, by))
    assert [titles_of(part) for part in parts] == [titles[:3], titles[3:6], titles[6:]]
    assert parts[0].newer == ""
    assert all("q=number" in part.newer for part in parts[1:])
    middle = read(parts[2].newer, by)
    assert titles_of(middle) == titles[3:6]
    assert titles_of(read(middle.newer, by)) == titles[:3]
    assert read(middle.newer, by).newer == ""


def test_what_is_new_does_not_move_what_is_being_read(titles: list[str], agent: Agent, owner: User) -> None:
    older = read("").older
    Thread.objects.create(agent=agent, owner=owner, title="Newest")
    assert titles_of(read(older)) == titles[3:6]


@pytest.mark.parametrize("place", ["x", "5", "2026-99-99_5", "2026-03-27T12:00:00_5", f"_{'9' * 30}", "٣"])
def test_a_place_that_cannot_be_read_is_the_beginning(titles: list[str], place: str) -> None:
    assert titles_of(read(f"?before={place}")) == titles[:3]


def test_numbered_pages_end_where_the_list_ends(titles: list[str]) -> None:
    rows = Thread.objects.order_by("-pk")
    last = numbered(rows, QueryDict("page=3"), 3)
    assert (titles_of(last), last.newer, last.older, last.start) == (titles[6:], "?page=2", "", 7)
    assert titles_of(numbered(rows, QueryDict("page=-1"), 3)) == titles[:3]


def test_a_long_list_is_counted_now_and_then(
    titles: list[str], agent: Agent, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "COUNTED", 5)
    assert total(Thread.objects.all()) == 7
    Thread.objects.create(agent=agent, owner=owner)
    assert total(Thread.objects.all()) == 7
    assert total(Thread.objects.filter(title__lt="Number 5")) == 5 + 1
    monkeypatch.setattr(paging, "COUNTED", 50)
    assert total(Thread.objects.all()) == 8
