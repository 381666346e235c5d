"""A schedule that looks at an address first: beat, broker and worker do it, and no token is spent on what is old."""

from __future__ import annotations

from tests.flows.invariants import invariants
from tests.flows.people import Fake, Person, unique
from tests.flows.test_schedules import ledger, once, schedule, soon
from tests.triggers.pages import Page

WATCH = """
from triggers.models import Schedule
from triggers.services import update_schedule
update_schedule(Schedule.objects.get(pk={pk}), watch_kind="page", watch_url={url!r})
"""


async def test_what_has_not_changed_costs_no_token_and_what_has_is_told(owner: Person, fake: Fake, page: Page) -> None:
    page.asked.clear()
    page.headers, page.body = {"Content-Type": "text/plain"}, b"the price is 3"
    prompt = unique("What is new")
    plan = await schedule(owner, **once(soon(60)), prompt=prompt)
    owner.stack.manage("shell", "-c", WATCH.format(pk=plan["id"], url=page.url))

    async def comes_due(times: int) -> str:
        changed = await owner.call("PATCH", f"/api/schedules/{plan['id']}", {"enabled": True, **once(soon(2))})
        assert changed.status == 200, changed.text
        newest = (await ledger(owner, plan, times))[0]
        if newest["run_id"]:
            assert (await owner.ended(newest["run_id"]))["status"] == "succeeded"
        return f"{newest['outcome']} {newest['reason'] or ''}".strip()

    assert await comes_due(1) == "ran"
    assert len(await fake.asked(prompt)) == 1
    assert await comes_due(2) == "skipped Unchanged."
    assert len(await fake.asked(prompt)) == 1
    page.body = b"the price is 4"
    assert await comes_due(3) == "ran"
    assert len(await fake.asked("+the price is 4")) == 1
    assert len(page.asked) == 3
    invariants(owner.stack)
