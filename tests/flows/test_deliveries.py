"""A worker tells a service elsewhere how a scheduled run ended, signed, and once."""

from __future__ import annotations

from standardwebhooks import Webhook

from tests.flows.people import Person, eventually, unique
from tests.flows.stack import Stack
from tests.runs.receiver import listening

TELL = """
from runs.models import OutgoingHook
from runs.outgoing import add_hook
from triggers.models import Schedule
plan = Schedule.objects.get(pk={plan})
plan.notify_hook, secret = add_hook(plan.owner, name="Board", url="{url}")
plan.save(update_fields=["notify_hook"])
OutgoingHook.objects.filter(pk=plan.notify_hook_id).update(private_allowed=True)
print(secret)
"""


async def test_a_service_hears_of_a_scheduled_run_after_it_was_down(owner: Person, stack: Stack) -> None:
    agent = await owner.agent(task_instructions=unique("Look around"))
    plan = await owner.post("/api/schedules", {"agent_id": agent["id"], "expression": "0 0 1 1 *"})
    with listening() as receiver:
        receiver.statuses = [500, 200]
        words = TELL.format(plan=plan["id"], url=receiver.url)
        secret = stack.manage("shell", "--no-imports", "-c", words).split()[-1]
        run = await owner.post(f"/api/schedules/{plan['id']}/run", {}, status=202)

        async def twice() -> bool:
            return len(receiver.got) == 2

        await eventually(twice, "it was told, and told again after the 500", 25)
        (first, _), (second, body) = receiver.got
    assert first["webhook-id"] == second["webhook-id"]
    told = Webhook(secret).verify(body, second)
    assert (told["type"], told["data"]["id"], told["data"]["schedule_id"]) == (
        "run.finished",
        run["run_id"],
        plan["id"],
    )
    assert told["data"]["answer"]

    async def settled() -> bool:
        return bool(stack.rows(f"select 1 from runs_delivery where run_id = {run['run_id']} and status = 'sent'"))

    await eventually(settled, "the log says that it was sent")
    assert secret not in stack.tails()
