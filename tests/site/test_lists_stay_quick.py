"""Pages and lists ask the database as often beside much history as beside little, and not often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services import create_token
from runs.models import Run
from threads.models import Thread
from triggers import sample_data
from triggers.invariants import breaks

MOST_QUERIES = 12


def pages() -> Iterator[str]:
    """The addresses to ask for; the thread is the longest."""
    thread = Thread.objects.order_by("-last_seq")[0]
    middle, run = thread.last_seq // 2, Run.objects.filter(thread=thread)[0].pk
    yield from ("/", "/agents/", "/threads/", "/runs/", "/runs/?status=failed", "/schedules/")
    yield from ("/runs/?status=due", "/runs/?trigger=chat")
    yield from ("/search/?q=what", "/palette/?q=what", "/api/search?q=what")
    yield from (f"/agents/{thread.agent_id}/?tab={tab}" for tab in ("threads", "runs", "schedules"))
    yield from (f"/runs/?agent={thread.agent_id}", f"/runs/?before={run}", f"/runs/{run}/")
    yield from (f"/threads/{thread.pk}/", f"/threads/{thread.pk}/?before={middle}")
    yield from (f"/threads/{thread.pk}/messages/more/?{side}={middle}" for side in ("before", "after"))
    yield from (f"/api/threads/{thread.pk}/messages{query}" for query in ("", "?skip=40", f"?after_version={middle}"))
    yield from ("/api/agents", "/api/threads", "/api/runs", f"/api/runs/{run}", "/api/schedules")
    for name in ("agents/agent", "threads/thread", "threads/threadmessage", "runs/run", "triggers/schedule"):
        yield f"/admin/{name}/"


@pytest.fixture
def administrator(owner: User) -> User:
    owner.is_staff = owner.is_superuser = True
    owner.save()
    return owner


def test_every_page_asks_as_often_beside_ten_times_the_history(administrator: User) -> None:
    counted: list[list[int]] = []
    for times in (1, 10):
        sizes = {"agents": 6, "threads": 120, "messages": 600, "longest": 300, "schedules": 120}
        sample_data.make(administrator, **{name: times * number for name, number in sizes.items()})
        client = Client(headers={"Authorization": f"Bearer {create_token(administrator, 'Pages')[1]}"})
        client.force_login(administrator)
        client.get("/api/agents")  # notes that the token is used
        counted.append([_queries(client, page) for page in pages()])
    few, many = (dict(zip(pages_without_ids(), counts, strict=True)) for counts in counted)
    assert many == few
    assert max(many.values()) <= MOST_QUERIES, many
    assert list(breaks()) == []


def pages_without_ids() -> list[str]:
    return ["".join(letter for letter in page if not letter.isdecimal()) for page in pages()]


def _queries(client: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(page)
    assert answer.status_code == 200, page
    assert answer.content
    return len(asked)
