"""Other versions of a message: what follows the same row as it does, and what each version cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from common.templatetags.zerg import money
from threads.models import Thread, ThreadMessage
from threads.tree import Node


@dataclass
class Siblings:
    """Other versions of a message: this is number ``index`` of ``count``."""

    index: int
    count: int
    previous_id: int | None
    next_id: int | None
    costs: str = ""
    """How the cost of this answer differs from the one beside it, in words, when both are known."""


def siblings_of(thread: Thread, rows: Iterable[ThreadMessage], beside: Iterable[Node]) -> dict[int, Siblings]:
    """For each row that has others of its kind beside it (of a tool's result: of the same call), its place there.

    ``beside`` are all that follow the same rows as these do, in the order in which they were written.
    """
    alike: dict[tuple[int | None, str, str], list[int]] = defaultdict(list)
    run_of: dict[int, int | None] = {}
    for node in beside:
        if node.kind == ThreadMessage.Kind.MESSAGE:
            alike[node.parent_id, node.role, node.tool_call_id].append(node.pk)
            run_of[node.pk] = node.run_id
    places, answers = {}, []
    for row in rows:
        ids = alike.get((row.parent_id, row.role, row.tool_call_id), [])
        if len(ids) > 1 and row.pk in ids:
            at = ids.index(row.pk)
            previous, following = (ids[at - 1] if at else None), (ids[at + 1] if at + 1 < len(ids) else None)
            places[row.pk] = Siblings(at + 1, len(ids), previous, following)
            if row.role == ThreadMessage.Role.ASSISTANT:
                answers.append(row.pk)
    if answers:
        _compare_costs(thread, {pk: places[pk] for pk in answers}, run_of)
    return places


def _compare_costs(thread: Thread, places: dict[int, Siblings], run_of: dict[int, int | None]) -> None:
    """Says of answers what their runs cost, against the one before each (of the first: the one after)."""
    beside = {pk: place.previous_id or place.next_id or 0 for pk, place in places.items()}
    runs = {run_of[pk] for pk in [*beside, *beside.values()]}
    ended = thread.runs.filter(pk__in=[pk for pk in runs if pk], finished_at__isnull=False)
    costs: dict[int | None, Decimal | None] = dict(ended.values_list("pk", "cost_usd"))
    for pk, other in beside.items():
        mine, others = costs.get(run_of[pk]), costs.get(run_of[other])
        if mine is not None and others is not None and run_of[pk] != run_of[other]:
            number = places[pk].index + (-1 if places[pk].previous_id else 1)
            difference = (
                "as much as"
                if mine == others
                else f"{money(abs(mine - others))} {'less' if mine < others else 'more'} than"
            )
            places[pk].costs = f"{difference} {number}/{places[pk].count}"
