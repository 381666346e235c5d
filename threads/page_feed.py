"""The frames of a thread's page: HTML made by the very partials that make the page, so that the two cannot differ."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.zones import zone_of
from common.markdown import StreamRenderer
from threads.changes import Changes
from threads.hub import LiveMessage
from threads.models import Thread, ThreadMessage
from threads.page_around import STAYS, put, spoken, surroundings
from threads.page_rows import items_to_show
from threads.pages import Item
from threads.transcript import is_above
from threads.window import newest

Status = ThreadMessage.Status


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
    """Frames for a page's log, encoded, and the place it is at with them and with those of ``around``, if ``is_more``.

    They are two steps, since text that is being written can be shown after the first.
    """

    frames: list[str]
    place: Place
    said: tuple[str, ...] = ()
    is_more: bool = True


def log_in_zone(changes: Changes, place: Place, zone: str) -> Update:
    """``log_frames`` with the times in a person's time zone, as the middleware has them on the page."""
    with timezone.override(zone_of(zone)):
        return log_frames(changes, place)


def around_in_zone(thread: Thread, update: Update, zone: str) -> list[str]:
    """``around`` with the times in a person's time zone."""
    with timezone.override(zone_of(zone)):
        return around(thread, update)


def log_frames(changes: Changes, place: Place) -> Update:
    """What the log of a page at ``place`` needs to show ``changes``. Uses the ORM: call it in a thread."""
    thread = changes.thread
    fresh = [row for row in changes.messages if row.version > place.version]
    news = [run for run in changes.runs if run.version > place.version]
    leaf_id = _leaf_for(thread, fresh, place)
    if not fresh and not news and leaf_id == place.leaf_id:
        # Nothing was said; what may have changed is the thread: its title, its settings.
        is_more = changes.version > place.version
        return Update([], replace(place, version=max(changes.version, place.version)), is_more=is_more)
    if not _goes_on(fresh, leaf_id, place.leaf_id):
        return _reset(thread, changes.version, leaf_id, place.via)
    return _step(thread, changes, replace(place, leaf_id=leaf_id), fresh, news)


def around(thread: Thread, update: Update) -> list[str]:
    """What stands around the log; what the page has with it, which it says again when it comes back; what is said."""
    place = update.place
    at = json.dumps({"t": "at", "v": place.version, "leaf": place.leaf_id})
    said = [json.dumps({"t": "say", "text": words}) for words in update.said]
    return [*surroundings(thread, place.leaf_id, place.via), at, *said]


def frames_for(changes: Changes, place: Place) -> tuple[list[str], Place]:
    """All that a page at ``place`` needs, at once, and the place it is at then. Uses the ORM: call it in a thread."""
    update = log_frames(changes, place)
    return [*update.frames, *(around(changes.thread, update) if update.is_more else [])], update.place


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


def _goes_on(fresh: list[ThreadMessage], leaf_id: int | None, had: int | None) -> bool:
    """Whether the branch that ends in ``leaf_id`` only grew since it ended in ``had``; otherwise it is another one."""
    by_id = {row.pk: row for row in fresh}
    at = leaf_id
    while at != had:
        if at is None or at not in by_id:
            return False
        at = by_id[at].parent_id
    return True


def _step(thread: Thread, changes: Changes, place: Place, fresh: Iterable[ThreadMessage], news: list[Any]) -> Update:
    blocks = dict(place.blocks)
    frames: list[str] = []
    for item in items_to_show(thread, place.leaf_id, fresh, news):
        row = item.message
        if row.status == Status.STREAMING and row.pk in blocks:
            frames += _put_progress(thread, item)
            continue
        # The page merges: blocks that it has already are equal, and stay the nodes that they are.
        frames.append(put(f"m-{row.pk}", "log", "threads/_message.html", item.context(thread), row))
        blocks.pop(row.pk, None)
        if row.status == Status.STREAMING:
            blocks[row.pk] = 0
    said = tuple(words for run in news if (words := spoken(thread, run)))
    return Update(frames, replace(place, version=max(changes.version, place.version), blocks=blocks), said)


def _put_progress(thread: Thread, item: Item) -> list[str]:
    """What stands above and below a text that is being written."""
    pk, context = item.message.pk, item.context(thread)
    return [
        put(f"m-{pk}-{part}", f"m-{pk}", template, context)
        for part, template in (("st", "threads/_status.html"), ("f", "threads/_foot.html"))
    ]


def _reset(thread: Thread, version: int, leaf_id: int | None, via: int | None) -> Update:
    """Another branch is being read, or too much happened: the whole window anew."""
    shown = newest(thread, leaf_id)
    html = render_to_string("threads/_log.html", {"thread": thread, "window": shown})
    frame = json.dumps({"t": "reset", "h": html}, ensure_ascii=False)
    return Update([frame], Place(version, leaf_id, _blocks_in(shown.items), via))


def _blocks_in(items: list[Item]) -> dict[int, int]:
    """The blocks that a page holds, right after it was rendered, of the messages being written."""
    counts = {}
    for item in items:
        if item.message.status == Status.STREAMING:
            renderer = StreamRenderer()
            renderer.feed(item.message.content)
            counts[item.message.pk] = len(renderer.blocks)
    return counts


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
