"""The frames of what stands around a page's log: the header, the queue, Stop and Send, how full the window is."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string

from threads.context import fill_of
from threads.forms import SettingsForm
from threads.models import Thread, ThreadMessage
from threads.pages import work_of

STAYS = 0
"""The branch of a page that shows the thread up to a message, to branch off there."""


def surroundings(thread: Thread, leaf_id: int | None, via: int | None) -> list[str]:
    """For a page that reads the branch that ends in ``leaf_id``; ``via`` as ``threads.page_feed.Place`` has it."""
    work = work_of(thread)
    context = {
        "thread": thread,
        "queue": work.queue,
        "active_run": work.active_run,
        "branch": branch_kind(thread, leaf_id, via),
        "leaf_id": leaf_id,
        "fill": fill_of(thread, leaf_id),
    }
    return [
        put("branch", "dock", "threads/_branch.html", context),
        put("queue", "dock", "threads/_queue.html", context),
        put("t-state", "t-head", "threads/_state.html", context),
        put("t-title", "t-head", "threads/_title.html", context),
        _settings(thread.pk, thread.busy_policy, thread.memory_strategy),
        put("meter", "composer", "threads/_meter.html", context),
        put("send", "composer", "threads/_send.html", context),
    ]


def branch_kind(thread: Thread, leaf_id: int | None, via: int | None) -> str:
    """What a page reads: "" is what the thread goes on with, "other" another branch, "new" one that is to begin."""
    if via == STAYS:
        return "new"
    return "other" if via is not None and leaf_id != thread.leaf_id else ""


@lru_cache(maxsize=1000)
def _settings(thread_id: int, busy_policy: str, memory_strategy: str) -> str:
    """Hardly ever changed, and dearer than all the rest: each choice of its lists has a template of its own."""
    thread = Thread(pk=thread_id, busy_policy=busy_policy, memory_strategy=memory_strategy)
    context = {"thread": thread, "settings": SettingsForm(instance=thread)}
    return put("t-settings", "t-head", "threads/_settings.html", context)


def put(
    element_id: str, parent_id: str, template: str, context: dict[str, Any], row: ThreadMessage | None = None
) -> str:
    """The frame that puts an element in the place of the one with its id, or at the end of its parent."""
    frame = {"t": "put", "id": element_id, "at": parent_id, "h": render_to_string(template, context)}
    if row is not None and row.client_message_id:
        frame["c"] = row.client_message_id
    return json.dumps(frame, ensure_ascii=False)


def spoken(thread: Thread, run: Any) -> str:
    """What is said aloud to people who do not see the page: only the bounds of a run."""
    name = thread.agent.name
    if run.finished_at is None:
        return f"{name} is working" if run.status == "running" and run.first_token_at is None else ""
    if run.status == "succeeded":
        return f"{name} replied"
    return "Stopped" if run.status == "cancelled" else f"Failed: {run.error_message}"
