"""Which row of a transcript follows which: the part of its tree that some rows stand in, without their texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from common.prepared import prepared
from threads.models import ThreadMessage

NODE = ("pk", "parent_id", "role", "kind", "tool_call_id", "run_id", "timestamp")


class Node(NamedTuple):
    """A row of a transcript, as far as its place in it is concerned."""

    pk: int
    parent_id: int | None
    role: str
    kind: str
    tool_call_id: str
    run_id: int | None
    timestamp: datetime


class Tree:
    """Some rows of a thread, with all that follow the same rows as they do, and all that came after."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = {node.pk: node for node in nodes}
        self._children: dict[int | None, list[Node]] = defaultdict(list)
        for node in self._nodes.values():
            self._children[node.parent_id].append(node)

    def following(self, parent_id: int | None) -> list[Node]:
        """The rows that follow this one, in the order in which they were written."""
        return self._children.get(parent_id, [])

    def branch(self, leaf_id: int | None) -> list[Node]:
        """The rows on the branch that ends in ``leaf_id``, the last one first."""
        found = []
        while (node := self._nodes.get(leaf_id or 0)) is not None:
            found.append(node)
            leaf_id = node.parent_id
        return found

    def moments(self) -> dict[int, datetime]:
        """When each row was written."""
        return {node.pk: node.timestamp for node in self._nodes.values()}


def tree_around(thread_id: int, rows: Iterable[ThreadMessage]) -> Tree:
    """The tree that these rows of a thread stand in: one query, however it branches."""
    parents = {row.parent_id for row in rows}
    nodes = _nodes_after(thread_id, (0,) if None in parents or not parents else tuple(pk for pk in parents if pk))
    return Tree(map(Node._make, nodes))


@prepared
def _nodes_after(thread_id: Any, parent_ids: Any) -> QuerySet[ThreadMessage, tuple[Any, ...]]:
    """All that came after the first of these rows, which are older than whatever follows them; after 0: all."""
    first = ThreadMessage.objects.filter(pk__in=parent_ids).order_by("seq").values("seq")[:1]
    later = ThreadMessage.objects.filter(thread_id=thread_id, seq__gt=Coalesce(Subquery(first), Value(0)))
    return later.order_by("pk").values_list(*NODE)


def nodes_following(thread_id: int, parents: Iterable[int | None]) -> list[Node]:
    """The rows that follow any of these, of a thread; None: the first ones."""
    parents = set(parents)
    nodes = list(_first_nodes(thread_id)) if None in parents else []
    if before := tuple(pk for pk in parents if pk):
        nodes += _nodes_beside(before)
    return list(map(Node._make, nodes))


@prepared
def _first_nodes(thread_id: Any) -> QuerySet[ThreadMessage, tuple[Any, ...]]:
    return _placed().filter(thread=thread_id, parent=None)


@prepared
def _nodes_beside(parent_ids: Any) -> QuerySet[ThreadMessage, tuple[Any, ...]]:
    return _placed().filter(parent__id__in=parent_ids)


def _placed() -> QuerySet[ThreadMessage, tuple[Any, ...]]:
    return ThreadMessage.objects.filter(seq__isnull=False).order_by("pk").values_list(*NODE)
