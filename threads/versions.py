"""The versions of a message, and which of a thread's branches somebody reads."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from threads.models import Thread, ThreadMessage
from threads.page_around import STAYS
from threads.transcript import end_through, is_above

MOST_WORDS = 4_000
"""Longer texts are compared line by line: comparing words takes the square of their number."""


@dataclass(frozen=True)
class Reading:
    """A branch that a page shows. ``leaf_id`` is its end.

    ``via`` says how the page goes on, as ``threads.page_feed.Place`` does. ``start`` is the message that a new branch
    will follow.
    """

    leaf_id: int | None
    via: int | None = None
    start: int | None = None

    @property
    def address(self) -> str:
        """The query string that names it; empty for what the thread goes on with."""
        if self.start:
            return urlencode({"from": self.start})
        return urlencode({"leaf": self.via}) if self.via else ""


def reading_of(thread: Thread, *, leaf: int | None, start: int | None) -> Reading:
    """The branch that an address names; the thread's own where it names none, or one that is not there."""
    named = _named(thread, start or leaf)
    if named is None:
        return Reading(thread.leaf_id)
    if start:
        return Reading(named.pk, STAYS, named.pk)
    return Reading(end_through(thread, named), named.pk)


def followed_by(thread: Thread, *, leaf: int | None, start: int | None) -> int | None:
    """The id of the message that one sent from a page follows; None: the end of what the thread goes on with.

    ``leaf`` is the end of the branch that its sender read, ``start`` the message where a new one is to begin.
    """
    named = _named(thread, start or leaf)
    if named is None or (not start and is_above(thread, named, thread.leaf_id)):
        return None
    return named.pk


def _named(thread: Thread, message_id: int | None) -> ThreadMessage | None:
    """A message of the transcript by its id."""
    if not message_id:
        return None
    return ThreadMessage.objects.filter(thread=thread, seq__isnull=False, pk=message_id).first()


def version_before(message: ThreadMessage) -> str:
    """What the version before said; empty for the first one."""
    beside = ThreadMessage.objects.filter(thread=message.thread_id, parent=message.parent_id, role=message.role)
    earlier = beside.filter(seq__isnull=False, pk__lt=message.pk).order_by("-pk")
    return earlier.values_list("content", flat=True).first() or ""


@dataclass(frozen=True)
class Piece:
    """A stretch of text that stayed, came or went."""

    kind: Literal["same", "new", "old"]
    text: str


def word_diff(before: str, after: str) -> list[Piece]:
    """What was taken out and put in, word by word, on the way from one text to the other."""
    split = r"\s+|\w+|[^\w\s]"
    olds, news = re.findall(split, before), re.findall(split, after)
    if max(len(olds), len(news)) > MOST_WORDS:
        olds, news = before.splitlines(keepends=True), after.splitlines(keepends=True)
    pieces = []
    matcher = difflib.SequenceMatcher(None, olds, news, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(olds[old_from:old_to])))
            continue
        pieces.append(Piece("old", "".join(olds[old_from:old_to])))
        pieces.append(Piece("new", "".join(news[new_from:new_to])))
    return [piece for piece in pieces if piece.text]
