"""What a schedule will cost, as far as its last runs tell."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from common.templatetags.zerg import money
from runs.models import Run, RunStatus
from triggers.models import Schedule
from triggers.timing import ONCE

LAST_RUNS = 10


def a_month(found: dict[str, Any], user: User, saved: Schedule | None, agent_id: int | None) -> str:
    """How often it runs in a month, and what that costs at the average of its last runs, or of its agent's.

    ``found`` is what ``services.preview`` gives. Empty for what runs once.
    """
    if found["kind"] == ONCE:
        return ""
    runs = found["runs_per_month"]
    often = f"About {runs:,} run{'' if runs == 1 else 's'} a month"
    ended = Run.objects.for_user(user).filter(status=RunStatus.SUCCEEDED, input_tokens__gt=0)
    of_it = ended.filter(schedule_id=saved.pk) if saved else ended.none()
    rows = of_it if of_it.exists() else ended.filter(agent=agent_id)
    costs = list(rows.order_by("-id").values_list("cost_usd", flat=True)[:LAST_RUNS])
    known = [cost for cost in costs if cost is not None]
    if known:
        return f"{often} · about {money(sum(known) / len(known) * runs)} at the last runs' average"
    return f"{often} · no price is known for its model" if costs else often
