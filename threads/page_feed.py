"""The frames of a thread's page: HTML made by the very partials that make the page, so that the two cannot differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone

from accounts.zones import zone_of
from common.markdown import StreamRenderer
from threads.hub import Changes, LiveMessage
from threads.models import Thread, ThreadMessage
from threads.pages import Item, active_run_of, items_of, queue_of, window

Status = ThreadMessage.Status


@dataclass(frozen=True)
class Place:
    """How far a page has got: its version, the last row of its branch, the blocks it has of unfinished messages."""

    version: int
    leaf_id: int | None
    blocks: dict[int, int]


@dataclass(frozen=True)
class Update:
    """Frames for a page, encoded, and the place it is at with them."""

    frames: list[str]
    place: Place


def frames_in_zone(changes: Changes, place: Place, zone: str) -> Update:
    """``frames_for`` with the times in a person's time zone, as the middleware has them on the page."""
    with timezone.override(zone_of(zone)):
        return frames_for(changes, place)


def frames_for(changes: Changes, place: Place) -> Update:
    """What a page at ``place`` needs to show ``changes``. Uses the ORM: call it in a thread."""
    thread = changes.thread
    fresh = [row for row in changes.messages if row.version > place.version]
    news = [run for run in changes.runs if run.version > place.version]
    if not fresh and not news and thread.leaf_id == place.leaf_id:
        return Update([], Place(max(changes.version, place.version), place.leaf_id, place.blocks))
    if not _goes_on(thread, fresh, place.leaf_id):
        return _reset(thread, changes.version)
    return _step(thread, changes, place, fresh, news)


def _goes_on(thread: Thread, fresh: list[ThreadMessage], leaf_id: int | None) -> bool:
    """Whether the branch only grew since the page's ``leaf_id``; otherwise it is another branch."""
    by_id = {row.pk: row for row in fresh}
    at = thread.leaf_id
    while at != leaf_id:
        if at is None or at not in by_id:
            return False
        at = by_id[at].parent_id
    return True


def _step(
    thread: Thread,
    changes: Changes,
    place: Place,
    fresh: list[ThreadMessage],
    news: list[Any],
) -> Update:
    blocks = dict(place.blocks)
    frames: list[str] = []
    for item in items_of(thread, _rows_to_show(thread, fresh, news), with_text=False):
        row = item.message
        if row.status == Status.STREAMING and row.pk in blocks:
            frames.append(_put_status(thread, item))
            continue
        # The page merges: blocks that it has already are equal, and stay the nodes that they are.
        frames.append(_put(f"m-{row.pk}", "log", "threads/_message.html", item.context(thread), row))
        blocks.pop(row.pk, None)
        if row.status == Status.STREAMING:
            blocks[row.pk] = 0
    frames += surroundings(thread)
    said = [json.dumps({"t": "say", "text": words}) for run in news if (words := _spoken(thread, run))]
    place = Place(max(changes.version, place.version), thread.leaf_id, blocks)
    return Update([*frames, _at(place), *said], place)


def _rows_to_show(thread: Thread, fresh: list[ThreadMessage], news: list[Any]) -> list[ThreadMessage]:
    """The rows whose articles changed, and the tool results that belong to them.

    A run's news show on its last answer (what it waits for, how long it took, Retry) and on the one before, which is
    the last no more.
    """
    rows = {row.pk: row for row in fresh if row.seq is not None}
    answers = ThreadMessage.objects.filter(thread=thread, role=ThreadMessage.Role.ASSISTANT)
    for run in news:
        rows.update((row.pk, row) for row in answers.filter(run_id=run.pk).order_by("-seq")[:2] if row.pk not in rows)
    for result in [row for row in rows.values() if row.role == ThreadMessage.Role.TOOL]:
        asking = answers.filter(run_id=result.run_id, seq__lt=result.seq).order_by("-seq").first()
        if asking is not None:
            rows.setdefault(asking.pk, asking)
    calls = {call["id"] for row in rows.values() for call in row.tool_calls}
    if calls:
        results = ThreadMessage.objects.filter(thread=thread, tool_call_id__in=calls)
        rows.update((row.pk, row) for row in results if row.pk not in rows)
    return sorted(rows.values(), key=lambda row: row.seq or 0)


def _put_status(thread: Thread, item: Item) -> str:
    pk = item.message.pk
    return _put(f"m-{pk}-st", f"m-{pk}", "threads/_status.html", item.context(thread))


def surroundings(thread: Thread) -> list[str]:
    """What stands around the log: the queue, Stop and Send, the state in the header."""
    context = {"thread": thread, "queue": queue_of(thread), "active_run": active_run_of(thread)}
    return [
        _put("queue", "dock", "threads/_queue.html", context),
        _put("t-state", "t-head", "threads/_state.html", context),
        _put("t-title", "t-head", "threads/_title.html", context),
    ]


def _reset(thread: Thread, version: int) -> Update:
    """Another branch is being read, or too much happened: the whole window anew."""
    shown = window(thread)
    html = render_to_string(
        "threads/_log.html", {"thread": thread, "items": shown.items, "older_before": shown.older_before}
    )
    place = Place(version, thread.leaf_id, _blocks_in(shown.items))
    frame = json.dumps({"t": "reset", "h": html}, ensure_ascii=False)
    return Update([frame, *surroundings(thread), _at(place)], place)


def _at(place: Place) -> str:
    """What the page has now; it says so again when it comes back."""
    return json.dumps({"t": "at", "v": place.version, "leaf": place.leaf_id})


def _blocks_in(items: list[Item]) -> dict[int, int]:
    """The blocks that a page holds, right after it was rendered, of the messages being written."""
    counts = {}
    for item in items:
        if item.message.status == Status.STREAMING:
            renderer = StreamRenderer()
            renderer.feed(item.message.content)
            counts[item.message.pk] = len(renderer.blocks)
    return counts


def _put(
    element_id: str, parent_id: str, template: str, context: dict[str, Any], row: ThreadMessage | None = None
) -> str:
    frame = {"t": "put", "id": element_id, "at": parent_id, "h": render_to_string(template, context)}
    if row is not None and row.client_message_id:
        frame["c"] = row.client_message_id
    return json.dumps(frame, ensure_ascii=False)


def _spoken(thread: Thread, run: Any) -> str:
    """What is said aloud to people who do not see the page: only the bounds of a run."""
    name = thread.agent.name
    if run.finished_at is None:
        return f"{name} is working" if run.status == "running" and run.first_token_at is None else ""
    if run.status == "succeeded":
        return f"{name} replied"
    return "Stopped" if run.status == "cancelled" else f"Failed: {run.error_message}"


def tail_frame(live: LiveMessage, had: int) -> tuple[str, int]:
    """The frame that brings a page with ``had`` finished blocks to where the text is, and the blocks it has then.

    The text is rendered once for all pages that watch it here.
    """
    renderer = live.view
    if renderer is None:
        renderer = live.view = StreamRenderer()
    fed = live.memo.get("fed", False)
    if not fed:
        renderer.feed(live.text[live.rendered :])
        live.rendered = len(live.text)
        live.memo["fed"] = True
    frame = live.memo.get(("page", had))
    if frame is None:
        data = {"t": "tail", "m": live.message_id, "from": had, "b": renderer.blocks[had:], "h": renderer.tail}
        frame = live.memo["page", had] = json.dumps(data, ensure_ascii=False)
    return frame, len(renderer.blocks)
