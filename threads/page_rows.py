"""Which articles of a page are to be made anew when rows of its thread have changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from common.prepared import prepared
from threads.dividers import BY_ITSELF
from threads.models import Thread, ThreadMessage
from threads.pages import AtHand, Item, items_of
from threads.tree import Tree, tree_around

Role = ThreadMessage.Role
Rows = dict[int, ThreadMessage]


def items_to_show(thread: Thread, leaf_id: int | None, fresh: Iterable[ThreadMessage], news: list[Any]) -> list[Item]:
    """The articles that changed of the branch that ends in ``leaf_id``, without the text of those being written.

    ``fresh`` are the rows that changed, ``news`` the runs, with their steps. A run's news show on its last answer (what
    it waits for, how long it took, Retry) and on the one before, which is the last no more; when it has ended, on its
    first, which compares costs; that it found nothing new, above its message. A new version of a message shows on the
    others.
    """
    rows = {row.pk: row for row in fresh if row.seq is not None}
    for run in news:
        _add(rows, _last_answers(run, rows))
        if run.finished_at:
            _add(rows, _told_at_its_end(run))
    for result in [row for row in rows.values() if row.role == Role.TOOL]:
        asking: ThreadMessage | None = result
        while asking is not None and asking.role == Role.TOOL:
            asking = rows.get(asking.parent_id or 0) or asking.parent
        _add(rows, [asking] if asking else [])
    if not rows:
        return []
    tree = tree_around(thread.pk, rows.values())
    shown = _on_branch(rows, tree, leaf_id)
    return items_of(thread, shown, with_text=False, at_hand=AtHand({run.pk: run for run in news}, tree))


def _on_branch(rows: Rows, tree: Tree, leaf_id: int | None) -> list[ThreadMessage]:
    """The rows of the branch, with those that stand beside them and the results of their calls, in their order."""
    branch = {node.pk: node for node in tree.branch(leaf_id)}
    parents = {row.parent_id for row in rows.values()}
    more = {node.pk for parent_id in parents for node in tree.following(parent_id)} & branch.keys()
    if any(row.tool_calls for row in rows.values()):
        more |= {node.pk for node in branch.values() if node.role == Role.TOOL}
    if unread := more - rows.keys():
        _add(rows, ThreadMessage.objects.filter(pk__in=unread))
    return sorted((row for row in rows.values() if row.pk in branch), key=lambda row: row.seq or 0)


def _last_answers(run: Any, rows: Rows) -> Sequence[ThreadMessage]:
    """A run's last two answers. The rest of its news need not be read: it has written as many as it has steps."""
    if run.finished_at:
        last = _last_of(run.pk)
    else:
        written = {step.message_id for step in run.steps.all() if step.kind == "model" and step.message_id}
        written |= {row.pk for row in rows.values() if row.run_id == run.pk and row.role == Role.ASSISTANT}
        newest = sorted(written)[-2:]
        unread = [pk for pk in newest if pk not in rows]
        read = rows | (ThreadMessage.objects.in_bulk(unread) if unread else {})
        last = [read[pk] for pk in reversed(newest) if pk in read]
    run.last_answer = last[0].pk if last else None
    return last


def _told_at_its_end(run: Any) -> list[ThreadMessage]:
    """The first answer; of a run that no human started the message, too, whose heading says how it went, and all of it
    where it is folded away."""
    if run.nothing_new:
        return list(ThreadMessage.objects.filter(run_id=run.pk, seq__isnull=False))
    asked = ThreadMessage.objects.filter(pk=run.input_message_id, seq__isnull=False) if run.trigger in BY_ITSELF else []
    return [*_first_of(run.pk), *asked]


def _add(rows: Rows, more: Iterable[ThreadMessage]) -> None:
    """Adds those that are not there yet: what was read already has the text that is heard of and not durable."""
    for row in more:
        rows.setdefault(row.pk, row)


@prepared
def _last_of(run_id: Any) -> QuerySet[ThreadMessage]:
    return _answers_of(run_id).order_by("-pk")[:2]


@prepared
def _first_of(run_id: Any) -> QuerySet[ThreadMessage]:
    return _answers_of(run_id).order_by("seq")[:1]


def _answers_of(run_id: Any) -> QuerySet[ThreadMessage]:
    return ThreadMessage.objects.filter(run_id=run_id, role=Role.ASSISTANT)
