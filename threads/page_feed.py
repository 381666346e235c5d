"""The frames of a thread's page: HTML made by the very partials that make the page, so that the two cannot differ."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.zones import zone_of
from common.markdown import StreamRenderer
from common.prepared import prepared
from threads.changes import Changes
from threads.context import fill_of
from threads.dividers import BY_ITSELF
from threads.forms import SettingsForm
from threads.hub import LiveMessage
from threads.models import Thread, ThreadMessage
from threads.pages import Item, items_of, work_of
from threads.transcript import ids_after, is_above
from threads.window import newest

Status = ThreadMessage.Status
STAYS = 0


@dataclass(frozen=True)
class Place:
    """How far a page has got: its version, the last row of its branch, the blocks it has of unfinished messages.

    ``via`` is None for a page that reads what the thread goes on with, the id of a message for one that reads a branch
    through it, and STAYS for one that shows the thread up to a message, to branch off there.
    """

    version: int
    leaf_id: int | None
    blocks: dict[int, int]
    via: int | None = None


NOWHERE = Place(-1, -1, {})
"""Where nothing leads on from: a page there gets everything anew."""


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
    leaf_id = _leaf_for(thread, fresh, place)
    if not fresh and not news and leaf_id == place.leaf_id:
        return _thread_itself(thread, changes.version, place)
    if not _goes_on(fresh, leaf_id, place.leaf_id):
        return _reset(thread, changes.version, leaf_id, place.via)
    return _step(thread, changes, replace(place, leaf_id=leaf_id), fresh, news)


def _leaf_for(thread: Thread, fresh: list[ThreadMessage], place: Place) -> int | None:
    """The end of the page's branch. Only the branch that the thread goes on with ever grows."""
    if place.via is None or place.leaf_id == thread.leaf_id:
        return thread.leaf_id
    if place.via == STAYS or not place.leaf_id:
        return place.leaf_id
    if _goes_on(fresh, thread.leaf_id, place.leaf_id):
        return thread.leaf_id
    via = ThreadMessage.objects.filter(thread=thread, pk=place.via).first()
    return thread.leaf_id if via and is_above(thread, via, thread.leaf_id) else place.leaf_id


def _thread_itself(thread: Thread, version: int, place: Place) -> Update:
    """Nothing was said; what may have changed is the thread: its title, its settings."""
    if version <= place.version:
        return Update([], place)
    place = replace(place, version=version)
    return Update([*surroundings(thread, place), _at(place)], place)


def _goes_on(fresh: list[ThreadMessage], leaf_id: int | None, had: int | None) -> bool:
    """Whether the branch that ends in ``leaf_id`` only grew since it ended in ``had``; otherwise it is another one."""
    by_id = {row.pk: row for row in fresh}
    at = leaf_id
    while at != had:
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
    for item in items_of(thread, _rows_to_show(thread, place, fresh, news), with_text=False):
        row = item.message
        if row.status == Status.STREAMING and row.pk in blocks:
            frames += _put_progress(thread, item)
            continue
        # The page merges: blocks that it has already are equal, and stay the nodes that they are.
        frames.append(_put(f"m-{row.pk}", "log", "threads/_message.html", item.context(thread), row))
        blocks.pop(row.pk, None)
        if row.status == Status.STREAMING:
            blocks[row.pk] = 0
    frames += surroundings(thread, place)
    said = [json.dumps({"t": "say", "text": words}) for run in news if (words := _spoken(thread, run))]
    place = replace(place, version=max(changes.version, place.version), blocks=blocks)
    return Update([*frames, _at(place), *said], place)


def _rows_to_show(thread: Thread, place: Place, fresh: list[ThreadMessage], news: list[Any]) -> list[ThreadMessage]:
    """The rows of the page's branch whose articles changed, and the tool results that belong to them.

    A run's news show on its last answer (what it waits for, how long it took, Retry) and on the one before, which is
    the last no more; when it has ended, on its first, which compares costs; that it found nothing new, above its
    message. A new version of a message shows on the others.
    """
    rows = {row.pk: row for row in fresh if row.seq is not None}
    for run in news:
        _add(rows, _last_answers(run.pk))
        if run.finished_at:
            _add(rows, _told_at_its_end(run))
    _add(rows, [row for parent_id in {row.parent_id for row in rows.values()} for row in _beside(thread, parent_id)])
    for result in [row for row in rows.values() if row.role == ThreadMessage.Role.TOOL]:
        asking: ThreadMessage | None = result
        while asking is not None and asking.role == ThreadMessage.Role.TOOL:
            asking = rows.get(asking.parent_id or 0) or asking.parent
        _add(rows, [asking] if asking else [])
    if not rows:
        return []
    read = set(ids_after(thread.pk, place.leaf_id, min(row.seq or 0 for row in rows.values()) - 1))
    if any(row.tool_calls for row in rows.values()):
        _add(rows, ThreadMessage.objects.filter(role=ThreadMessage.Role.TOOL, pk__in=read))
    return sorted((row for row in rows.values() if row.pk in read), key=lambda row: row.seq or 0)


def _told_at_its_end(run: Any) -> list[ThreadMessage]:
    """The first answer; of a run that no human started the message, too, whose heading says how it went, and all of it
    where it is folded away."""
    if run.nothing_new:
        return list(ThreadMessage.objects.filter(run_id=run.pk, seq__isnull=False))
    asked = ThreadMessage.objects.filter(pk=run.input_message_id, seq__isnull=False) if run.trigger in BY_ITSELF else []
    return [*_first_answer(run.pk), *asked]


def _add(rows: dict[int, ThreadMessage], more: Iterable[ThreadMessage]) -> None:
    """Adds those that are not there yet: what was read already has the text that is heard of and not durable."""
    for row in more:
        rows.setdefault(row.pk, row)


@prepared
def _last_answers(run_id: Any) -> QuerySet[ThreadMessage]:
    return _answers_of(run_id).order_by("-seq")[:2]


@prepared
def _first_answer(run_id: Any) -> QuerySet[ThreadMessage]:
    return _answers_of(run_id).order_by("seq")[:1]


def _answers_of(run_id: Any) -> QuerySet[ThreadMessage]:
    return ThreadMessage.objects.filter(run_id=run_id, role=ThreadMessage.Role.ASSISTANT)


def _beside(thread: Thread, parent_id: int | None) -> list[ThreadMessage]:
    """What follows the same message; None: what nothing comes before."""
    return _first_of(thread.pk) if parent_id is None else _following(parent_id)


@prepared
def _first_of(thread_id: Any) -> QuerySet[ThreadMessage]:
    return ThreadMessage.objects.filter(thread=thread_id, parent=None, seq__isnull=False)


@prepared
def _following(message_id: Any) -> QuerySet[ThreadMessage]:
    return ThreadMessage.objects.filter(parent=message_id, seq__isnull=False)


def _put_progress(thread: Thread, item: Item) -> list[str]:
    """What stands above and below a text that is being written."""
    pk, context = item.message.pk, item.context(thread)
    return [
        _put(f"m-{pk}-{part}", f"m-{pk}", template, context)
        for part, template in (("st", "threads/_status.html"), ("f", "threads/_foot.html"))
    ]


def branch_kind(thread: Thread, leaf_id: int | None, via: int | None) -> str:
    """What a page reads: "" is what the thread goes on with, "other" another branch, "new" one that is to begin."""
    if via == STAYS:
        return "new"
    return "other" if via is not None and leaf_id != thread.leaf_id else ""


def surroundings(thread: Thread, place: Place) -> list[str]:
    """What stands around the log: the header, the queue, Stop and Send, how full the model's window is."""
    work = work_of(thread)
    context = {
        "thread": thread,
        "queue": work.queue,
        "active_run": work.active_run,
        "branch": branch_kind(thread, place.leaf_id, place.via),
        "leaf_id": place.leaf_id,
        "fill": fill_of(thread, place.leaf_id),
    }
    return [
        _put("branch", "dock", "threads/_branch.html", context),
        _put("queue", "dock", "threads/_queue.html", context),
        _put("t-state", "t-head", "threads/_state.html", context),
        _put("t-title", "t-head", "threads/_title.html", context),
        _settings(thread.pk, thread.busy_policy, thread.memory_strategy),
        _put("meter", "composer", "threads/_meter.html", context),
        _put("send", "composer", "threads/_send.html", context),
    ]


@lru_cache(maxsize=1000)
def _settings(thread_id: int, busy_policy: str, memory_strategy: str) -> str:
    """Hardly ever changed, and dearer than all the rest: each choice of its lists has a template of its own."""
    thread = Thread(pk=thread_id, busy_policy=busy_policy, memory_strategy=memory_strategy)
    context = {"thread": thread, "settings": SettingsForm(instance=thread)}
    return _put("t-settings", "t-head", "threads/_settings.html", context)


def _reset(thread: Thread, version: int, leaf_id: int | None, via: int | None) -> Update:
    """Another branch is being read, or too much happened: the whole window anew."""
    shown = newest(thread, leaf_id)
    html = render_to_string("threads/_log.html", {"thread": thread, "window": shown})
    place = Place(version, leaf_id, _blocks_in(shown.items), via)
    frame = json.dumps({"t": "reset", "h": html}, ensure_ascii=False)
    return Update([frame, *surroundings(thread, place), _at(place)], place)


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
        frame = live.memo["page", had] = msgspec.json.encode(data).decode()
    return frame, len(renderer.blocks)


def texts_of(changes: Changes, place: Place) -> list[str]:
    """The frames of all that is being written, as far as its rows have it, for a page without a socket."""
    texts = [LiveMessage(row.pk, row.run_id or 0, row.content) for row in changes.messages if row.pk in place.blocks]
    return [tail_frame(text, place.blocks[text.message_id])[0] for text in texts]
