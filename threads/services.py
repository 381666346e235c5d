"""What can happen to a thread. Every durable change goes through ``change``."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from textwrap import shorten
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from common import bus
from common.bulk import insert_each, save_each
from common.database import certain_transaction
from common.errors import ZergError
from common.prepared import prepared
from engine import Usage
from threads.models import Thread, ThreadMessage

AT_THE_BEGINNING = 0
"""In place of the id of the message that another one follows."""
TITLE_CHARS = 60
TITLE_WORDS = 6
TRIES_TO_ACTIVATE = 50
CHANGING = ("version", "last_seq", "leaf", "title", "updated_at")
SPENT = ("input_tokens", "cached_tokens", "output_tokens", "usage_estimated", "cost_usd", "unpriced")


@contextmanager
def change(thread_id: int, *, ring: bool = True) -> Iterator[Thread]:
    """One durable change of a thread: locks its row, takes the next version; the caller stamps it on what it touches.

    Rings the thread's doorbell after the commit, unless ``ring`` is False (the recorder rings in its own order). Raises
    CommitUnknown; after any other error nothing has changed.
    """
    with changes([thread_id], ring=ring) as threads:
        yield threads[thread_id]


@contextmanager
def changes(
    thread_ids: Collection[int], *, ring: bool = True, made: Collection[Thread] = ()
) -> Iterator[dict[int, Thread]]:
    """The same for several threads in one transaction, by their ids. Raises Thread.DoesNotExist when one is gone.

    They are locked in the order of their ids, so that two who change the same ones never wait for each other. ``made``
    are those that were made in this transaction: nobody else can have them.
    """
    with certain_transaction():
        threads = {thread.pk: thread for thread in made}
        if there := tuple(thread_id for thread_id in thread_ids if thread_id not in threads):
            threads |= {thread.pk: thread for thread in _locked(there)}
        if len(threads) < len(set(thread_ids)):
            raise Thread.DoesNotExist(f"threads {sorted(set(thread_ids) - set(threads))}")
        for thread in threads.values():
            thread.version += 1
        yield threads
        now = timezone.now()
        for thread in threads.values():
            thread.updated_at = now
        save_each(list(threads.values()), [*CHANGING, *SPENT])
        if ring:
            transaction.on_commit(lambda: bus.ring(*threads))


@prepared
def _locked(thread_ids: Any) -> QuerySet[Thread]:
    return Thread.objects.select_for_update().filter(pk__in=thread_ids).order_by("pk")


def create_thread(
    agent: Agent,
    *,
    owner: User,
    title: str = "",
    thread_type: str = Thread.Type.CHAT,
    active: bool = False,
    title_by_person: bool = False,
) -> Thread:
    """A new, empty conversation of ``owner`` with ``agent``; if ``active``, the others stop being it."""
    with transaction.atomic():
        thread = Thread.objects.create(
            agent=agent, owner=owner, title=title, thread_type=thread_type, title_by_person=title_by_person
        )
        if active:
            activate(thread)
    return thread


def activate(thread: Thread) -> None:
    """Makes ``thread`` the one that programs reach through its agent; the one that was stops being it."""
    beside = Thread.objects.filter(agent=thread.agent_id, owner=thread.owner_id, active=True).exclude(pk=thread.pk)
    for _ in range(TRIES_TO_ACTIVATE):
        try:
            with transaction.atomic():
                beside.update(active=False)
                Thread.objects.filter(pk=thread.pk).update(active=True)
                break
        except IntegrityError:  # two were activated at once, and neither saw the other: the later one wins
            continue
    else:
        raise ZergError("conflict", "Several threads of this agent were made the active one at once. Try again.")
    thread.refresh_from_db(fields=["active"])


def active_thread(agent: Agent, *, owner: User) -> Thread:
    """The owner's active thread with ``agent``, made if there is none."""
    thread = Thread.objects.filter(agent=agent, owner=owner, active=True).select_related("agent").first()
    return thread or create_thread(agent, owner=owner, active=True)


def clean_content(text: str) -> str:
    """``text`` as it may be stored. Raises ZergError when it is empty, too long, or holds what no database can keep."""
    text = text.replace("\r\n", "\n")
    if not text.strip():
        raise ZergError("empty_message", "Write something first: the message is empty.", {"content": "Empty."})
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ZergError(
            "bad_text", "The message holds half of a character (a lone surrogate). Send it as valid Unicode."
        ) from error
    if "\x00" in text:
        raise ZergError("bad_text", "The message holds a NUL character, which cannot be stored. Remove it.")
    if size > settings.MESSAGE_MAX_BYTES:
        raise ZergError(
            "too_large",
            f"It has {size // 1024:,} KiB; at most {settings.MESSAGE_MAX_BYTES // 1024} fit. Send it in parts.",
            {"content": "Too long."},
        )
    return text


def add_message(thread: Thread, *, queued: bool = False, **fields: Any) -> ThreadMessage:
    """Adds a row to a thread that is inside ``change``: at the end of its branch, or into its queue."""
    message = new_message(thread, queued=queued, **fields)
    insert_each([message])
    if not queued:
        thread.leaf = message
    return message


def new_message(thread: Thread, *, queued: bool, after: int | None = None, **fields: Any) -> ThreadMessage:
    """The row that ``add_message`` adds, with its place, not saved yet.

    ``after`` is the id of the message that it follows, AT_THE_BEGINNING, or None: the end of the branch.
    """
    message = ThreadMessage(thread=thread, version=thread.version, **fields)
    if after:
        message.parent_id = after
    if queued:
        message.status = ThreadMessage.Status.QUEUED
    else:
        _place(thread, message, branches=after is not None)
    return message


def name_after(thread: Thread, text: str) -> None:
    """A thread without a title is called by the first words of its first message; a person's title is final."""
    if not thread.title and not thread.title_by_person:
        first = " ".join(text.split()[:TITLE_WORDS])
        thread.title = shorten(first, TITLE_CHARS, placeholder="…") or first[:TITLE_CHARS]


def join_transcript(thread: Thread, message: ThreadMessage, *, branches: bool = False) -> None:
    """A queued message leaves the queue and becomes the end of the branch, or of a new one where its parent is."""
    _place(thread, message, branches=branches)
    message.status = ThreadMessage.Status.COMPLETE
    message.version = thread.version
    message.save(update_fields=["seq", "parent", "status", "version"])
    thread.leaf = message


def _place(thread: Thread, message: ThreadMessage, *, branches: bool = False) -> None:
    thread.last_seq += 1
    message.seq = thread.last_seq
    if message.parent_id is None and not branches:
        message.parent_id = thread.leaf_id


def spend(thread: Thread, usage: Usage, cost: Decimal | None) -> None:
    """Adds what a call took to what the thread has taken; inside ``change``. ``cost``: US dollars, None: unknown."""
    thread.input_tokens += usage.input_tokens
    thread.cached_tokens += usage.cached_tokens
    thread.output_tokens += usage.output_tokens
    thread.usage_estimated |= usage.estimated
    if cost is not None:
        thread.cost_usd += cost
    elif usage.input_tokens or usage.output_tokens:
        thread.unpriced = True


def log_line(thread: Thread, *, role: str, content: str, author: User, key: str | None = None) -> ThreadMessage:
    """Stores a line that a program wrote (role system or assistant), without a run."""
    content = clean_content(content)
    with change(thread.pk) as locked:
        same = ThreadMessage.objects.filter(thread=locked, client_message_id=key).first() if key else None
        if same is None:
            return add_message(
                locked,
                role=role,
                content=content,
                source=ThreadMessage.Source.API,
                author=author,
                client_message_id=key,
            )
    require_same(same, role=role, content=content)
    return same


def digest(text: str) -> str:
    """What tells one text from every other, in 64 characters."""
    return hashlib.sha256(text.encode()).hexdigest()


def require_same(message: ThreadMessage, *, role: str, content: str) -> None:
    """A repeated key must repeat the message as it was sent. Raises ZergError(``key_reused``, 409) otherwise."""
    is_same = message.sent_digest == digest(content) if message.sent_digest else message.content == content
    if message.role != role or not is_same:
        raise ZergError(
            "key_reused",
            "This client_message_id was used for another message. Take a new one for a new message.",
            {"client_message_id": "Already used."},
        )


def update_thread(thread: Thread, **fields: Any) -> Thread:
    """Changes any of title, agent_state, memory_strategy, busy_policy, active. A title by a person is final."""
    active = fields.pop("active", None)
    if "title" in fields:
        fields["title_by_person"] = True
    with change(thread.pk) as locked:
        for name, value in fields.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(fields)) if fields else None
        if active:
            activate(locked)
        elif active is False:
            locked.active = False
            locked.save(update_fields=["active"])
    return locked


def delete_thread(thread: Thread) -> None:
    """Deletes a thread with all that is in it. Raises ZergError(``conflict``) while it is being worked on."""
    with transaction.atomic():
        locked = Thread.objects.select_for_update().get(pk=thread.pk)
        if locked.runs.filter(finished_at=None).exists():
            raise ZergError("conflict", "This thread is being worked on. Stop its run first, then delete it.")
        locked.delete()
        transaction.on_commit(lambda: bus.ring(thread.pk))
