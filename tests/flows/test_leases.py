"""Leases as they are by default: how long people wait at most for what a lost worker was doing."""

from __future__ import annotations

from tests.flows.invariants import invariants
from tests.flows.marks import on_postgres_only
from tests.flows.people import Fake, Object, Person, eventually, unique

RESOLVED = 60.0
"""Seconds from the death of a worker to the end of a run that takes three: a lease is 30, a sweep 3."""
WORDS = 60
WHOLE = "".join(f"w{number} " for number in range(WORDS))


@on_postgres_only
async def test_a_run_whose_worker_was_killed_goes_on_within_a_minute(owner: Person, fake: Fake) -> None:
    stack, thread = owner.stack, await owner.thread()
    text = unique(f"[[script: long n={WORDS} rate=20]]")
    message = await owner.say(thread, text)

    async def written() -> list[Object]:
        return [row for row in await owner.messages(thread) if "w9 " in row["content"]]

    (before,) = await eventually(written, "some text is a row")
    stack.parts["worker"].kill()
    stack.restart("worker")
    run = await owner.ended(message["run_id"], RESOLVED)

    assert (run["status"], run["reason"], run["attempt"]) == ("succeeded", "completed", 2)
    left, answer = await owner.answers(run["id"], thread)
    assert (left["id"], left["status"], left["parent_id"]) == (before["id"], "failed", answer["parent_id"])
    assert left["content"].startswith(before["content"])
    assert WHOLE.startswith(left["content"])
    assert answer["content"] == WHOLE
    assert len(await fake.asked(text)) == 2
    invariants(stack)
    assert "invariants hold" in stack.manage("zerg_check")
