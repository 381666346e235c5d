"""A busy thread: what waits can be changed, taken back and sent now; and the thread may stop or refuse instead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from tests.flows.invariants import invariants
from tests.flows.people import Fake, Object, Person, unique
from tests.flows.stack import Stack
from tests.flows.test_queue import busy
from tests.flows.visitor import Visitor


def waiting(thread: Object, message: Object) -> str:
    return f"/api/threads/{thread['id']}/messages/{message['id']}"


async def content_of(owner: Person, thread: Object, message: Object) -> str:
    rows = {row["id"]: row for row in await owner.messages(thread)}
    return str(rows[message["id"]]["content"])


async def said(owner: Person, thread: Object) -> list[str]:
    """The questions of the transcript, in order."""
    return [row["content"] for row in await owner.messages(thread) if row["role"] == "user" and row["seq"]]


async def test_a_queued_message_is_edited_over_the_api_and_answered_as_it_then_is(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    first = await busy(owner, thread)
    old, new = unique("Go left"), unique("Go right")
    message = await owner.say(thread, old, client_message_id="k")
    async with owner.socket(thread) as socket:
        await socket.frame("thread_history")
        edited = await owner.call("PATCH", waiting(thread, message), {"content": new})
        assert (edited.status, edited.json["content"], edited.json["status"]) == (200, new, "queued")
        await socket.until(lambda: socket.reader.of("message", id=message["id"], content=new), "others see it")
        await owner.post(f"/api/runs/{first}/cancel", status=202)
        run = await socket.run_ended(message["run_id"])

    assert run["status"] == "succeeded"
    await fake.asked_once(new)
    assert await fake.asked(old) == []
    # Who sent it may not have heard so: as it was sent, it is still the same message.
    again = await owner.say(thread, old, client_message_id="k")
    assert (again["id"], again["content"]) == (message["id"], new)
    for method, body in (("PATCH", {"content": "late"}), ("DELETE", None)):
        late = await owner.call(method, waiting(thread, message), body)
        assert (late.status, late.error["code"]) == (409, "conflict")
    late = await owner.call("POST", f"{waiting(thread, message)}/send-now")
    assert (late.status, late.error["code"]) == (409, "conflict")
    invariants(owner.stack)


async def test_a_queued_message_is_taken_back_over_the_api(owner: Person, fake: Fake) -> None:
    thread = await owner.thread()
    first = await busy(owner, thread)
    regretted, kept = unique(), unique()
    message, other = await owner.say(thread, regretted), await owner.say(thread, kept)
    assert (await owner.call("DELETE", waiting(thread, message))).status == 204
    assert (await owner.call("DELETE", waiting(thread, message))).status == 409
    await owner.post(f"/api/runs/{first}/cancel", status=202)
    await owner.ended(other["run_id"])
    assert await fake.asked(regretted) == []
    assert (await owner.get(f"/api/runs/{message['run_id']}"))["reason"] == "stopped_by_user"
    invariants(owner.stack)


async def test_what_is_sent_now_stops_the_run_and_goes_before_the_others(owner: Person) -> None:
    thread = await owner.thread()
    first = await busy(owner, thread)
    texts = [unique(name) for name in ("one", "two", "three")]
    messages = [await owner.say(thread, text) for text in texts]

    started = await owner.post(f"{waiting(thread, messages[2])}/send-now", status=202)
    assert started == {"run_id": messages[2]["run_id"], "thread_id": thread["id"]}
    for message in messages:
        assert (await owner.ended(message["run_id"]))["status"] == "succeeded"

    stopped = await owner.get(f"/api/runs/{first}")
    assert (stopped["status"], stopped["reason"]) == ("cancelled", "stopped_by_user")
    assert (await said(owner, thread))[1:] == [texts[2], texts[0], texts[1]]
    invariants(owner.stack)


async def test_the_page_edits_sends_and_removes_without_script_and_other_tabs_see_it(
    owner: Person, visitor: Visitor
) -> None:
    thread = await owner.thread()
    await busy(owner, thread)
    page = f"/threads/{thread['id']}/"
    texts = [unique(name) for name in ("edited", "sent", "removed")]
    edited, sent, removed = [await owner.say(thread, text) for text in texts]
    new = unique("<b>Now</b>\nin two lines")

    async with visitor.page_socket(thread["id"]) as tab:
        answer = await visitor.submit(page, f"/queue/{edited['id']}/edit/", {f"content-{edited['id']}": new})
        assert (answer.status, answer.headers["Location"]) == (303, page)
        row = await tab.put("queue", "&lt;b&gt;Now&lt;/b&gt;")
        assert texts[0] not in row["h"]
        assert (await visitor.submit(page, f"/queue/{removed['id']}/remove/", {})).status == 303
        assert (await visitor.submit(page, f"/queue/{sent['id']}/send-now/", {})).status == 303
        await owner.ended(edited["run_id"])
        await tab.until(lambda: "queue-row" not in tab.puts("queue")[-1]["h"], "nothing waits any more")

    assert (await said(owner, thread))[1:] == [texts[1], new]
    late = await visitor.submit(page, f"/queue/{edited['id']}/edit/", {f"content-{edited['id']}": "late"})
    assert late.status == 409
    assert "no longer waits" in late.text
    invariants(owner.stack)


async def test_of_an_edit_and_the_messages_turn_exactly_one_wins(owner: Person, fake: Fake) -> None:
    outcomes = set()
    for delay in range(8):
        thread = await owner.thread()
        first = await owner.say(thread, unique("[[script: long n=3 rate=100]]"))
        old, new = unique("old"), unique("new")
        message = await owner.say(thread, old)

        async def edit(wait: float, path: str, text: str) -> Any:
            await asyncio.sleep(wait)
            return await owner.call("PATCH", path, {"content": text})

        # Spread over the moments around the end of the first run, when the second is claimed.
        answer = await edit(delay * 0.03, waiting(thread, message), new)
        await owner.ended(first["run_id"])
        assert (await owner.ended(message["run_id"]))["status"] == "succeeded"
        assert answer.status in (200, 409), answer.text
        won, lost = (new, old) if answer.status == 200 else (old, new)
        assert await content_of(owner, thread, message) == won
        await fake.asked_once(won)
        assert await fake.asked(lost) == []
        outcomes.add(answer.status)
    print(f"edits around a claim were answered with {sorted(outcomes)}")
    invariants(owner.stack)


async def test_a_thread_may_stop_what_it_does_for_each_new_message(owner: Person, visitor: Visitor) -> None:
    thread = await owner.thread(busy_policy="replace")
    assert thread["busy_policy"] == "replace"
    first = await busy(owner, thread)
    assert "Stop and send" in await visitor.page(f"/threads/{thread['id']}/")
    text = unique()
    async with owner.socket(thread) as socket:
        message = await owner.say(thread, text)
        run = await socket.run_ended(message["run_id"])
    assert run["status"] == "succeeded"
    assert (await owner.get(f"/api/runs/{first}"))["status"] == "cancelled"
    assert (await said(owner, thread))[1:] == [text]

    # Many at once: each is kept, none doubled, and the newest has the last word.
    await busy(owner, thread)
    many = [unique(f"{number}") for number in range(10)]
    sent = [await owner.say(thread, text) for text in many]
    runs = [await owner.ended(message["run_id"]) for message in sent]
    assert {run["status"] for run in runs} <= {"succeeded", "cancelled"}
    assert runs[-1]["status"] == "succeeded"
    assert (await said(owner, thread))[3:] == many
    invariants(owner.stack)


async def test_a_thread_may_refuse_what_comes_while_it_is_busy(owner: Person, visitor: Visitor) -> None:
    thread = await owner.thread()
    changed = await owner.call("PUT", f"/api/threads/{thread['id']}", {"busy_policy": "refuse"})
    assert changed.json["busy_policy"] == "refuse"
    first = await busy(owner, thread)
    before = await owner.messages(thread)
    body = {"content": unique(), "client_message_id": "later"}
    refused = await owner.call("POST", f"/api/threads/{thread['id']}/messages", body)
    assert (refused.status, refused.error["code"]) == (409, "busy")
    assert "stop it" in refused.error["message"]
    async with owner.socket(thread) as socket:
        await socket.send("message", content="Hello")
        assert (await socket.frame("error"))["code"] == "busy"
    page = f"/threads/{thread['id']}/"
    answer = await visitor.submit(page, f"{page}messages/", {"content": "Hello"}, {"HX-Request": "true"})
    assert (answer.status, answer.error["code"]) == (409, "busy")
    assert [row["id"] for row in await owner.messages(thread)] == [row["id"] for row in before]

    await owner.post(f"/api/runs/{first}/cancel", status=202)
    await owner.ended(first)
    sent = await owner.post(f"/api/threads/{thread['id']}/messages", body)
    assert (await owner.ended(sent["run_id"]))["status"] == "succeeded"
    invariants(owner.stack)


async def test_the_policy_is_chosen_on_the_threads_page_and_shows_in_every_tab(owner: Person, visitor: Visitor) -> None:
    thread = await owner.thread()
    page = f"/threads/{thread['id']}/"
    async with visitor.page_socket(thread["id"]) as tab:
        fields = {"busy_policy": "replace", "memory_strategy": "window"}
        assert (await visitor.submit(page, f"{page}settings/", fields)).status == 303
        await tab.put("t-settings", '<option value="replace" selected>')
        await tab.put("send", "Stop and send")
    now = await owner.get(f"/api/threads/{thread['id']}")
    assert (now["busy_policy"], now["memory_strategy"]) == ("replace", "window")
    wrong = await visitor.submit(page, f"{page}settings/", {"busy_policy": "panic", "memory_strategy": ""})
    assert wrong.status == 422
    refused = await owner.call("PATCH", f"/api/threads/{thread['id']}", {"busy_policy": "panic"})
    assert (refused.status, list(refused.error["fields"])) == (422, ["busy_policy"])


DAY_BEFORE = """
from datetime import timedelta
from django.db.models import F
from runs.models import Run, Step
from threads.models import ThreadMessage
day = timedelta(days=1, hours=1)
of = {{"pk": {run}}}
Run.objects.filter(**of).update(**{{name: F(name) - day for name in ("queued_at", "started_at", "finished_at")}})
Step.objects.filter(run={run}).update(started_at=F("started_at") - day, finished_at=F("finished_at") - day)
ThreadMessage.objects.filter(run_id={run}).update(timestamp=F("timestamp") - day)
"""


@pytest.mark.parametrize("door", ["api", "page"])
async def test_the_same_send_is_the_same_message_a_day_later_and_without_the_brokers_memory(
    owner: Person, visitor: Visitor, fake: Fake, stack: Stack, door: str
) -> None:
    thread = await owner.thread()
    text, key = unique(), unique("key")
    page = f"/threads/{thread['id']}/"

    async def send(content: str) -> tuple[int, Any]:
        fields = {"content": content, "client_message_id": key}
        if door == "api":
            answer = await owner.call("POST", f"/api/threads/{thread['id']}/messages", fields)
            return answer.status, answer.json.get("run_id")
        answer = await visitor.submit(page, f"{page}messages/", fields, {"HX-Request": "true"})
        return answer.status, answer.json.get("run_id")

    first = await send(text)
    await owner.ended(first[1])
    await asyncio.to_thread(stack.manage, "shell", "-c", DAY_BEFORE.format(run=first[1]))
    with redis.Redis.from_url(stack.redis_url) as client:
        client.flushall()

    assert await send(text) == first == (201, first[1])
    assert (await send("another"))[0] == 409
    assert len(await owner.messages(thread)) == 2
    assert len(await owner.get(f"/api/threads/{thread['id']}/runs")) == 1
    await fake.asked_once(text)
    assert (await owner.ask(thread, unique()))["status"] == "succeeded"
    invariants(owner.stack)
