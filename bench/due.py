"""Makes schedules that come due at once: ``python -m bench.due COUNT AT LATER``, AT in seconds since 1970.

All but one are the administrator's, the last one is the stranger's. LATER more are due a year later.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta

AGENTS = 100


def main(count: int, at: float, later: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "zerg_site.settings"
    import django

    django.setup()
    from accounts.models import User
    from agents.models import Agent
    from agents.services import create_agent
    from triggers.models import Schedule

    def agents_of(person: User, number: int) -> list[Agent]:
        place = person.home_workspace()
        return [
            create_agent(workspace=place, author=person, name="Due", task_instructions="Go.") for _ in range(number)
        ]

    def schedules(agents: list[Agent], person: User, number: int, due: datetime) -> list[Schedule]:
        timing = {"kind": Schedule.Kind.INTERVAL, "expression": "86400", "next_run_at": due}
        return [Schedule(agent=agents[each % len(agents)], owner=person, **timing) for each in range(number)]

    admin = User.objects.get(is_superuser=True)
    stranger = User.objects.get(email="stranger@localhost")
    due = datetime.fromtimestamp(at, UTC)
    mine = agents_of(admin, AGENTS)
    rows = schedules(mine, admin, later, due + timedelta(days=365)) + schedules(mine, admin, count - 1, due)
    Schedule.objects.bulk_create(rows + schedules(agents_of(stranger, 1), stranger, 1, due), batch_size=2000)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
