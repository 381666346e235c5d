"""Streams of runs that have ended: they give what there is, and end."""

from __future__ import annotations

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from accounts.models import User
from accounts.services import create_token
from runs.models import Run
from runs.services import start_run
from tests.api.conftest import end
from threads.models import Thread
from threads.services import add_message, change


def answered(owner: User, thread: Thread) -> tuple[Run, dict[str, str]]:
    run = start_run(thread, text="Hi", author=owner, trigger=Run.Trigger.API, key="k")
    with change(thread.pk) as locked:
        add_message(locked, role="assistant", content="Grüße 🌍", run_id=run.pk, source="agent")
        Run.objects.filter(pk=run.pk).update(version=locked.version)
    return end(run), {"Authorization": f"Bearer {create_token(owner, 't')[1]}"}


BOTH = ["Hi", "Grüße 🌍"]


async def streamed(thread: Thread, headers: dict[str, str]) -> str:
    """The whole stream that a message sent again is answered with."""
    body = {"content": "Hi", "client_message_id": "k"}
    path = f"/api/threads/{thread.pk}/messages"
    response = await AsyncClient().post(path, body, "application/json", headers=headers)
    async with asyncio.timeout(10):
        return b"".join([chunk async for chunk in response]).decode()  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
async def test_a_repeated_message_streams_the_text_that_there_is(owner: User, thread: Thread) -> None:
    _, headers = await sync_to_async(answered)(owner, thread)
    assert await streamed(thread, {**headers, "Accept": "text/plain"}) == "Grüße 🌍"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("last_event_id", [None, "0", "1", "2", "2.5:1", "99", "what"])
async def test_events_of_an_ended_run_end_with_it_wherever_the_client_was(
    last_event_id: str | None, owner: User, thread: Thread
) -> None:
    run, headers = await sync_to_async(answered)(owner, thread)
    resume = {"Last-Event-ID": last_event_id} if last_event_id else {}
    text = await streamed(thread, {**headers, **resume, "Accept": "text/event-stream"})
    frames = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    contents = [frame["content"] for frame in frames if frame["type"] == "message"]
    if last_event_id in {None, "0", "1"}:
        assert (frames[-1]["type"], frames[-1]["run"]["id"]) == ("run", run.pk)
        assert contents == (BOTH[1:] if last_event_id == "1" else BOTH)
    elif last_event_id == "what":
        assert [frame["type"] for frame in frames] == ["thread_history"]
    else:
        assert frames == []
