"""What can happen to a thread. Every durable change goes through ``change``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from agents.models import Agent
from common import bus
from common.errors import ZergError
from threads.models import Thread, ThreadMessage

TITLE_CHARS = 60
TRIES_TO_ACTIVATE = 5


@contextmanager
def change(thread_id: int, *, ring: bool = True) -> Iterator[Thread]:
    """One durable change of a thread: locks its row, takes the next version; the caller stamps it on what it touches.

    Rings the thread's doorbell after the commit, unless ``ring`` is False (the recorder rings in its own order).
    """
    with transaction.atomic():
        thread = Thread.objects.select_for_update().get(pk=thread_id)
        thread.version += 1
        yield thread
        thread.save(update_fields=["version", "last_seq", "leaf", "title", "updated_at"])
        if ring:
            transaction.on_commit(lambda: bus.ring(thread_id))


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
    message = ThreadMessage(thread=thread, version=thread.version, **fields)
    if queued:
        message.status = ThreadMessage.Status.QUEUED
    else:
        _place(thread, message)
    message.save()
    if not queued:
        thread.leaf = message
    return message


def name_after(thread: Thread, text: str) -> None:
    """A thread without a title is called by the beginning of its first message; a person's title is final."""
    if not thread.title and not thread.title_by_person:
        thread.title = shorten(text, TITLE_CHARS, placeholder="…") or text.strip()[:TITLE_CHARS]


def join_transcript(thread: Thread, message: ThreadMessage) -> None:
    """A queued message leaves the queue and becomes the end of the branch."""
    _place(thread, message)
    message.status = ThreadMessage.Status.COMPLETE
    message.version = thread.version
    message.save(update_fields=["seq", "parent", "status", "version"])
    thread.leaf = message


def _place(thread: Thread, message: ThreadMessage) -> None:
    thread.last_seq += 1
    message.seq = thread.last_seq
    if message.parent_id is None:
        message.parent_id = thread.leaf_id


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


def require_same(message: ThreadMessage, *, role: str, content: str) -> None:
    """A repeated key must repeat the message. Raises ZergError(``key_reused``, 409) otherwise."""
    if (message.role, message.content) != (role, content):
        raise ZergError(
            "key_reused",
            "This client_message_id was used for another message. Take a new one for a new message.",
            {"client_message_id": "Already used."},
        )


def update_thread(thread: Thread, **fields: Any) -> Thread:
    """Changes any of title, agent_state, memory_strategy, active. A title given by a person is final."""
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
