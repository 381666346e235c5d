"""The list of a person's threads: what they pinned, what needs them, what works, and then the rest by day."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.http import QueryDict
from django.utils import timezone

from accounts.models import User
from common.paging import Stretch, stretch
from common.text import one_line
from threads.models import Thread, ThreadMessage, run_model
from threads.reading import with_unread

PER_PAGE = 40
MOST_ON_TOP = 40
"""Of each group that stands above the others, whenever its threads were last written to."""
COUNTED = 2000
"""So many of a person's newest runs are looked at for how many there were today."""
START_CHARS = 200

UNFINISHED = ("queued", "running", "waiting")
"""The states of runs that have not ended; of a thread's runs, the last of these is what is said of it."""
STATES = {"": "All", "needs": "Needs you", "working": "Working", "unread": "Unread", "archived": "Archived"}


@dataclass(frozen=True)
class Row:
    """A thread as the list shows it. ``status`` is that of its run, empty when there is nothing to say of it."""

    thread: Thread
    status: str
    last: str
    unread: bool
    runs_today: int | None
    """Of a schedule's thread."""


@dataclass(frozen=True)
class Group:
    """Some rows under a heading; ``key`` is its id on the page."""

    key: str
    heading: str
    rows: list[Row]


@dataclass(frozen=True)
class Wanted:
    """What a list is asked for: see STATES; ``query`` are words in the title or the agent's name."""

    state: str = ""
    agent_id: int | None = None
    query: str = ""

    @property
    def is_all(self) -> bool:
        return not (self.state or self.query)


@dataclass(frozen=True)
class Listing:
    """What the page shows. ``seen`` changes whenever something of it does, but for the passing of time."""

    groups: list[Group]
    page: Stretch[Thread]
    seen: str


@dataclass
class _Work:
    """The runs of a person that say something of their threads, by the threads' ids."""

    doing: dict[int, str] = field(default_factory=dict)
    needs: list[int] = field(default_factory=list)
    working: list[int] = field(default_factory=list)


def listing(user: User, wanted: Wanted, asked: QueryDict) -> Listing:
    """The list, or the stretch of it that ``asked`` names (``common.paging``): a few queries, however long it is."""
    work = _work_of(user)
    threads = _wanted(user, wanted, work)
    on_top: dict[str, list[int]] = {}
    if wanted.is_all:
        on_top = _on_top(threads, work)
        threads = threads.exclude(pk__in={pk for ids in on_top.values() for pk in ids})
    page = stretch(threads.only("updated_at"), asked, PER_PAGE, by="updated_at")
    if page.newer:
        on_top = {}
    ids = [*(pk for ids in on_top.values() for pk in ids), *(thread.pk for thread in page.object_list)]
    rows = _rows(user, ids, work)
    groups = [Group(key, heading, [rows[pk] for pk in on_top.get(key, []) if pk in rows]) for key, heading in TOP]
    groups += _by_day(rows[thread.pk] for thread in page.object_list if thread.pk in rows)
    groups = [group for group in groups if group.rows]
    return Listing(groups, page, _fingerprint(groups))


TOP = (("pinned", "Pinned"), ("needs", "Needs you"), ("working", "Working"))


def _wanted(user: User, wanted: Wanted, work: _Work) -> QuerySet[Thread]:
    threads = Thread.listed(user).filter(archived_at__isnull=wanted.state != "archived")
    if wanted.agent_id is not None:
        threads = threads.filter(agent=wanted.agent_id)
    if wanted.query:
        threads = threads.filter(Q(title__icontains=wanted.query) | Q(agent__name__icontains=wanted.query))
    if wanted.state == "unread":
        return with_unread(threads, user).filter(unread=True)  # type: ignore[misc]  # annotated
    some = {"needs": work.needs, "working": work.working}.get(wanted.state)
    return threads if some is None else threads.filter(pk__in=some)


def _work_of(user: User) -> _Work:
    # Runs live in the layer above and are reached through the reverse relation.
    runs: Any = run_model()
    # In no order: in that of their ids, a database would read all that ever ran.
    mine = runs.objects.filter(owner=user).order_by()
    work = _Work()
    for pk, status in mine.filter(finished_at=None).values_list("thread", "status")[:500]:
        work.doing[pk] = max(status, work.doing.get(pk, status), key=UNFINISHED.index)
    work.needs = [pk for pk, status in work.doing.items() if status == "waiting"]
    work.working = [pk for pk, status in work.doing.items() if status != "waiting"]
    open_notice = {"notice__done_at": None, "notice__strength__in": ["needs_you", "failed"]}
    told = mine.filter(notice__owner=user, **open_notice).values_list("thread", flat=True)[:500]
    work.needs = list(dict.fromkeys([*work.needs, *(pk for pk in told if pk not in work.doing)]))
    return work


def _on_top(threads: QuerySet[Thread], work: _Work) -> dict[str, list[int]]:
    """The ids of those that stand above the others, by group; each in the first that it belongs to."""
    pinned = threads.filter(pinned_at__isnull=False).order_by("-pinned_at", "-pk").values_list("pk", flat=True)
    groups = {"pinned": list(pinned[:MOST_ON_TOP])}
    urgent = threads.filter(pk__in=[*work.needs, *work.working]).exclude(pk__in=groups["pinned"])
    ids = list(urgent.order_by("-updated_at", "-pk").values_list("pk", flat=True))
    for key, some in (("needs", set(work.needs)), ("working", set(work.working))):
        groups[key] = [pk for pk in ids if pk in some][:MOST_ON_TOP]
    return groups


def _by_day(rows: Iterable[Row]) -> list[Group]:
    today, days = timezone.localdate(), (Group("today", "Today", []), Group("earlier", "Earlier", []))
    for row in rows:
        days[timezone.localdate(row.thread.updated_at) < today].rows.append(row)
    return list(days)


def _rows(user: User, ids: Collection[int], work: _Work) -> dict[int, Row]:
    """The rows of these threads by id."""
    runs: Any = run_model()
    last_run = runs.objects.filter(thread=OuterRef("pk")).order_by("-version", "-id").values("status")[:1]
    found = (
        with_unread(Thread.objects.filter(pk__in=ids), user)
        .select_related("agent", "leaf")
        .annotate(last_run=Subquery(last_run), start=Left("leaf__content", START_CHARS))
        .only("title", "thread_type", "updated_at", "pinned_at", "archived_at", "agent__name", "leaf__role",
              "leaf__name", "leaf__status", "leaf__error_message")
    )  # fmt: skip
    threads = list(found)
    by_clock = {thread.pk for thread in threads if thread.thread_type == Thread.Type.SCHEDULE}
    today = _runs_today(user, by_clock)
    return {
        thread.pk: Row(
            thread,
            work.doing.get(thread.pk) or _worth_saying(thread.last_run),
            _last_line(thread, thread.start or ""),
            thread.unread,  # type: ignore[attr-defined]  # annotated
            today[thread.pk] if thread.pk in by_clock else None,
        )
        for thread in threads
    }


def _worth_saying(status: str | None) -> str:
    return status if status in ("failed", "cancelled") else ""


def _runs_today(user: User, threads: Collection[int]) -> Counter[int]:
    """How many runs there were today in each of ``threads``, among the person's newest."""
    if not threads:
        return Counter()
    runs: Any = run_model()
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    newest = runs.objects.filter(owner=user).order_by("-id").values_list("thread", "queued_at")[:COUNTED]
    return Counter(pk for pk, _ in takewhile(lambda run: run[1] >= midnight, newest) if pk in threads)


def _last_line(thread: Thread, start: str) -> str:
    """What was said last, from its beginning."""
    leaf = thread.leaf
    if leaf is None:
        return "Nothing is said yet"
    if leaf.error_message:
        return leaf.error_message
    if leaf.role == ThreadMessage.Role.TOOL:
        return f"{leaf.name} has answered"
    words = one_line(start).strip()
    return f"You: {words}" if leaf.role == ThreadMessage.Role.USER else words


def _fingerprint(groups: list[Group]) -> str:
    told = [
        (group.key, row.thread.pk, row.thread.title, row.thread.agent.name, row.status, row.last, row.unread,
         row.runs_today, row.thread.updated_at)
        for group in groups for row in group.rows
    ]  # fmt: skip
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
