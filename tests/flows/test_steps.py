"""Each call is made once: also when the worker that made it is killed, its result is read and never asked for again."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator

import pytest

from tests.flows.invariants import invariants
from tests.flows.people import Object, Person, eventually, people_of, unique
from tests.flows.stack import PARTS, Stack
from tests.flows.tool_ledger import Entry, ledger
from tests.flows.visitor import Visitor

LEDGER_TOOLS = ["look", "put", "post"]


def calls(tool: str, word: str, **more: object) -> str:
    """A script that has the model call ``tool``."""
    return f"[[script: rounds n=1 name={tool} args={json.dumps({'word': word, **more})}]]"


async def with_tools(owner: Person) -> Object:
    return await owner.thread(await owner.agent(tools=LEDGER_TOOLS))


async def began(stack: Stack, word: str, count: int = 1) -> list[Entry]:
    """The first ``count`` beginnings of calls with ``word``, once they are there."""

    async def look() -> list[Entry]:
        found = [entry for entry in ledger(stack.data, word) if entry.what == "began"]
        return found if len(found) >= count else []

    return await eventually(look, f"{count} calls have begun")


@pytest.fixture
async def person(hasty: Stack) -> AsyncIterator[Person]:
    """Somebody at a Zerg whose parts may be killed. Afterwards all of them run again, and the rows agree."""
    async with people_of(hasty) as (owner, _):
        yield owner
    for name in PARTS:
        if not hasty.parts[name].is_running:
            hasty.restart(name)
    hasty.until_ready()
    invariants(hasty)


async def test_every_call_has_a_key_of_its_own_also_when_the_model_numbers_its_calls_anew(owner: Person) -> None:
    thread = await with_tools(owner)
    word = unique("w")
    script = f"[[script: rounds n=3 each=2 name=put args={json.dumps({'word': word})}]]"

    run = await owner.ask(thread, unique(script))

    assert run["status"] == "succeeded", run["error"]
    made = await began(owner.stack, word, 6)
    keys = [entry.key for entry in made]
    assert len(set(keys)) == 6
    stem = re.fullmatch(r"(run-\d+-\d{8}T\d{12})\.1\.1", min(keys))
    assert stem
    assert sorted(keys) == [f"{stem[1]}.{round_}.{call}" for round_ in (1, 2, 3) for call in (1, 2)]
    steps = owner.stack.rows(f"SELECT key FROM runs_step WHERE run_id = {run['id']} AND kind = 'tool'")
    assert sorted(row[0] for row in steps) == sorted(keys)
    rows = [row for row in await owner.messages(thread) if row["role"] == "tool"]
    assert [row["tool_call_id"] for row in rows] == ["call_0", "call_1"] * 3
    invariants(owner.stack)


@pytest.mark.parametrize("tool", ["look", "put"])
async def test_a_call_that_may_be_repeated_is_made_again_with_the_same_key(person: Person, tool: str) -> None:
    thread, word = await with_tools(person), unique("w")
    message = await person.say(thread, unique(calls(tool, word, seconds=1.5)))
    (first,) = await began(person.stack, word)
    person.stack.parts["worker"].kill()
    person.stack.restart("worker")

    run = await person.ended(message["run_id"], seconds=60)

    assert (run["status"], run["attempt"]) == ("succeeded", 2), run["error"]
    one, two = await began(person.stack, word, 2)
    assert one == first
    assert one.key == two.key
    assert one.pid != two.pid
    kinds = [(step["kind"], step["attempt"], step["status"]) for step in run["steps"]]
    # The model's first answer was read from the transcript; only what was interrupted was done again.
    assert kinds == [
        ("model", 1, "succeeded"),
        ("tool", 1, "failed"),
        ("tool", 2, "succeeded"),
        ("model", 2, "succeeded"),
    ]
    assert (await person.messages(thread))[-1]["content"] == f"The tools said: {tool} {word} is done"


async def test_calls_that_were_finished_are_read_and_those_that_were_not_are_made(person: Person) -> None:
    thread, done, hangs = await with_tools(person), unique("w"), unique("w")
    args = [json.dumps({"word": done}), json.dumps({"word": hangs, "seconds": 1.5})]
    script = f"[[script: tools2 name1=post args1={args[0]} name2=put args2={args[1]}]]"
    message = await person.say(thread, unique(script))
    (first,) = await began(person.stack, hangs)
    person.stack.parts["worker"].kill()
    person.stack.restart("worker")

    run = await person.ended(message["run_id"], seconds=60)

    assert (run["status"], run["attempt"]) == ("succeeded", 2), run["error"]
    assert [entry.what for entry in ledger(person.stack.data, done)] == ["began", "ended"]
    again = await began(person.stack, hangs, 2)
    assert [entry.key for entry in again] == [first.key] * 2
    assert again[0].key != ledger(person.stack.data, done)[0].key
    assert (await person.messages(thread))[-1][
        "content"
    ] == f"The tools said: post {done} is done | put {hangs} is done"


# Calls that may have happened


async def interrupted(person: Person, thread: Object, script: str, word: str) -> Object:
    """The run of a message, after its worker was killed in the middle of the call with ``word``."""
    message = await person.say(thread, unique(script))
    await began(person.stack, word)
    person.stack.parts["worker"].kill()
    person.stack.restart("worker")
    run = await person.ended(message["run_id"], seconds=60)
    assert (run["status"], run["reason"], run["error"]["code"]) == ("failed", *["may_have_happened"] * 2)
    return run


def made(person: Person, word: str) -> list[str]:
    return [entry.what for entry in ledger(person.stack.data, word)]


async def test_a_call_that_changes_things_and_was_interrupted_is_not_made_again(person: Person) -> None:
    thread, word = await with_tools(person), unique("w")
    run = await interrupted(person, thread, calls("post", word, seconds=20), word)

    assert made(person, word) == ["began"]
    _, asking, result, failure = await person.messages(thread)
    assert (result["status"], result["error"]["code"]) == ("failed", "may_have_happened")
    assert result["content"] == "Interrupted before it answered. Its effect may have happened."
    assert (failure["status"], failure["error"]["code"]) == ("failed", "may_have_happened")
    assert "while post was at work" in failure["error"]["message"]
    assert [step["status"] for step in run["steps"]] == ["succeeded", "failed"]
    async with Visitor.of(person.stack) as visitor:
        await visitor.sign_in()
        for page in (f"/threads/{thread['id']}/", f"/runs/{run['id']}/"):
            html = await visitor.page(page)
            assert f"/runs/{run['id']}/mark-done/" in html
            assert f"/runs/{run['id']}/retry/" in html
            assert "Mark as done" in html
    assert asking["tool_calls"][0]["name"] == "post"


async def test_retrying_makes_the_interrupted_call_again_and_no_other(person: Person) -> None:
    thread, done, hangs = await with_tools(person), unique("w"), unique("w")
    args = [json.dumps({"word": done}), json.dumps({"word": hangs, "seconds": 1})]
    script = f"[[script: tools2 name1=post args1={args[0]} name2=post args2={args[1]}]]"
    run = await interrupted(person, thread, script, hangs)

    again = await person.post(f"/api/runs/{run['id']}/retry", status=202)
    ended = await person.ended(again["run_id"])

    assert ended["status"] == "succeeded", ended["error"]
    assert [(step["kind"], step["name"]) for step in ended["steps"]] == [("tool", "post"), ("model", "fake-1")]
    assert (made(person, done), made(person, hangs)) == (["began", "ended"], ["began", "began", "ended"])
    keys = {entry.key for entry in ledger(person.stack.data, hangs)}
    assert len(keys) == 2
    answer = (await person.messages(thread))[-1]
    assert answer["content"] == f"The tools said: post {done} is done | post {hangs} is done"
    refused = await person.call("POST", f"/api/runs/{run['id']}/mark-done")
    assert (refused.status, refused.error["code"]) == (409, "conflict")


async def test_what_a_person_confirms_is_done_and_what_was_not_begun_is_made(person: Person) -> None:
    thread, hangs, after = await with_tools(person), unique("w"), unique("w")
    args = [json.dumps({"word": hangs, "seconds": 20}), json.dumps({"word": after})]
    script = f"[[script: tools2 name1=post args1={args[0]} name2=post args2={args[1]}]]"
    run = await interrupted(person, thread, script, hangs)
    results = [row for row in await person.messages(thread) if row["role"] == "tool"]
    assert [row["content"] for row in results][1:] == ["Not called: the run ended before."]

    async with Visitor.of(person.stack) as visitor:
        await visitor.sign_in()
        async with visitor.page_socket(thread["id"]) as socket:
            answer = await visitor.submit(f"/threads/{thread['id']}/", f"/runs/{run['id']}/mark-done/", {})
            assert answer.status == 303
            reset = await socket.of_kind("reset")
            assert "A person confirmed that this was done." in reset["h"]

    async def told() -> Object | None:
        last = (await person.messages(thread))[-1]
        return last if last["role"] == "assistant" and last["status"] == "complete" else None

    last = await eventually(told, "the agent goes on")
    assert last
    assert last["content"] == f"The tools said: A person confirmed that this was done. | post {after} is done"
    assert (made(person, hangs), made(person, after)) == (["began"], ["began", "ended"])
    confirmed = next(row for row in await person.messages(thread) if "confirmed" in row["content"])
    assert (confirmed["status"], confirmed["source"], confirmed["parent_id"]) == (
        "complete",
        "user",
        results[0]["parent_id"],
    )
    for verb in ("mark-done", "retry"):
        again = await person.call("POST", f"/api/runs/{last['run_id']}/{verb}")
        assert again.status == (409 if verb == "mark-done" else 202)


async def test_a_worker_told_to_end_leaves_the_same_choice(person: Person) -> None:
    thread, word = await with_tools(person), unique("w")
    message = await person.say(thread, unique(calls("post", word, seconds=20)))
    await began(person.stack, word)
    assert await asyncio.to_thread(person.stack.parts["worker"].stop, signal.SIGTERM) == 0

    run = await person.get(f"/api/runs/{message['run_id']}")
    assert (run["status"], run["reason"]) == ("failed", "may_have_happened")
    last = (await person.messages(thread))[-1]
    assert (last["role"], last["error"]["code"]) == ("assistant", "may_have_happened")

    # No worker is there to claim it: what is taken back before it began leaves everything as it was.
    again = await person.post(f"/api/runs/{run['id']}/retry", status=202)
    assert (await person.post(f"/api/runs/{again['run_id']}/cancel", status=202))["status"] == "cancelled"
    async with Visitor.of(person.stack) as visitor:
        await visitor.sign_in()
        assert "Mark as done" in await visitor.page(f"/threads/{thread['id']}/")
    confirmed = await person.post(f"/api/runs/{run['id']}/mark-done", status=202)
    twice = await person.call("POST", f"/api/runs/{run['id']}/mark-done")
    assert (twice.status, twice.error["code"]) == (409, "conflict")
    person.stack.restart("worker")
    ended = await person.ended(confirmed["run_id"])
    assert (ended["status"], made(person, word).count("began")) == ("succeeded", 1)


async def test_only_a_run_with_a_call_in_doubt_can_be_marked_as_done(owner: Person, stranger: Person) -> None:
    thread = await with_tools(owner)
    run = await owner.ask(thread, unique())
    refused = await owner.call("POST", f"/api/runs/{run['id']}/mark-done")
    assert (refused.status, refused.error["code"]) == (409, "conflict")
    assert (await stranger.call("POST", f"/api/runs/{run['id']}/mark-done")).status == 404
    busy = await owner.say(thread, unique("[[script: long n=3000 rate=50]]"))
    assert (await owner.call("POST", f"/api/runs/{busy['run_id']}/mark-done")).status == 409
    await owner.post(f"/api/runs/{busy['run_id']}/cancel", status=202)
    await owner.ended(busy["run_id"])
