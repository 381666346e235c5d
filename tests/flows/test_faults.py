"""A provider that fails, in every way it can: the thread says what happened and keeps what was written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.flows.invariants import invariants
from tests.flows.people import Fake, Object, people_of, unique
from tests.flows.stack import Stack

FIVE = "w0 w1 w2 w3 w4 "


@dataclass(frozen=True)
class Fault:
    """A script, the code that it must end in ('': it succeeds), what is kept, and how often the model is asked."""

    script: str
    code: str = ""
    kept: str = ""
    asked: int = 1
    reason: str = "provider_error"
    model: str = ""
    seconds: tuple[float, float] = (0, 15)


FAULTS = {
    "a key that is refused": Fault("401", "refused_key"),
    "no credit": Fault("402", "no_credit"),
    "a model that is not there": Fault("404", "unknown_model"),
    "a model nobody has heard of": Fault("echo", "unknown_model", model="missing-model"),
    "too many requests, once": Fault("status code=429 retry=1", asked=2, seconds=(1, 15)),
    "too many requests, with a date": Fault("status code=429 retrydate=2", asked=2, seconds=(1, 15)),
    "too many requests for an hour": Fault("status code=429 retry=3600", "rate_limited"),
    "a server error": Fault("500", "provider_error", asked=3),
    "two server errors": Fault("status code=500 times=2", asked=3),
    "too long a conversation": Fault("toolong", "too_long"),
    "no answer at all": Fault("hangfirst", "timeout_first_byte", asked=3, reason="timeout", seconds=(7, 25)),
    "a slow beginning": Fault("slow first=1"),
    "a pause without an end": Fault("hang after=5", "timeout_between_chunks", FIVE, reason="timeout", seconds=(1, 15)),
    "a stream that is dropped": Fault("drop after=5", "dropped_stream", FIVE),
    "a connection that is reset": Fault("reset after=5", "dropped_stream", FIVE),
    "a stream dropped before its text": Fault("drop after=0", "dropped_stream", asked=3),
    "malformed JSON": Fault("badjson after=5", "bad_stream", FIVE),
    "an error in the stream": Fault("streamerror after=5", "stream_error", FIVE),
    "an error as an event": Fault("errorevent after=5", "stream_error", FIVE),
    "an error in the stream, once": Fault("streamerror after=0 times=1", asked=2),
    "no text": Fault("empty", "empty_output", reason="empty_output"),
    "a page instead of an answer": Fault("page", "bad_stream"),
    "an answer withheld": Fault("filter", "content_refused"),
    "a server that is not there": Fault("echo", "unreachable", asked=0, model="nobody-home"),
    "another dialect": Fault("nooptions", asked=2),
}


@dataclass(frozen=True)
class Outcome:
    """What was left when the run had ended."""

    run: Object
    rows: list[Object]
    requests: list[Object]
    sent: list[str]
    agent: Object
    took: float


@pytest.fixture(scope="module")
def outcomes(hasty: Stack) -> dict[str, Outcome]:
    """All faults strike at once, each in a thread of its own: they take as long as the slowest."""

    async def strike_all() -> dict[str, Outcome]:
        async with people_of(hasty) as (owner, _):

            async def strike(fault: Fault) -> Outcome:
                agent = await owner.agent(model=fault.model)
                thread = await owner.thread(agent)
                text = unique(f"[[script: {fault.script}]]")
                run = await owner.ask(thread, text, seconds=60)
                fake = Fake(hasty.model_url)
                requests = await fake.asked(text)
                sent = [await fake.sent(record) for record in requests]
                now = await owner.get(f"/api/agents/{agent['id']}")
                took = seconds_between(run["started_at"], run["finished_at"])
                return Outcome(run, await owner.messages(thread), requests, sent, now, took)

            struck = await asyncio.gather(*(strike(fault) for fault in FAULTS.values()))
            return dict(zip(FAULTS, struck, strict=True))

    return asyncio.run(strike_all())


def seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


@pytest.mark.parametrize("name", FAULTS)
def test_the_thread_tells_what_became_of(outcomes: dict[str, Outcome], name: str) -> None:
    fault, outcome = FAULTS[name], outcomes[name]
    run, answer = outcome.run, outcome.rows[-1]

    assert len(outcome.requests) == fault.asked
    assert fault.seconds[0] <= outcome.took <= fault.seconds[1]
    assert [row["role"] for row in outcome.rows] == ["user", "assistant"]
    if not fault.code:
        assert (run["status"], run["error"], answer["status"], answer["error"]) == ("succeeded", None, "complete", None)
        assert answer["content"] == outcome.sent[-1]
        return
    assert (run["status"], run["reason"], run["error"]["code"]) == ("failed", fault.reason, fault.code)
    assert (answer["status"], answer["error"]) == ("failed", run["error"])
    assert answer["content"] == fault.kept == (outcome.sent[-1] if outcome.sent else "")
    sentence = run["error"]["message"]
    assert len(sentence) > 20
    assert sentence.endswith((".", "”"))
    assert (outcome.agent["status"], outcome.agent["last_error"]) == ("error", sentence)
    (step,) = run["steps"]
    assert step["status"] == ("succeeded" if fault.code == "empty_output" else "failed")
    assert step["tries"] == (fault.asked or 3)


def test_after_all_of_it_nothing_contradicts_itself(outcomes: dict[str, Outcome], hasty: Stack) -> None:
    assert outcomes
    invariants(hasty)


def test_no_log_holds_the_providers_key(outcomes: dict[str, Outcome], hasty: Stack) -> None:
    assert outcomes
    key = hasty.environment()["OPENAI_API_KEY"]
    for log in hasty.logs.iterdir():
        assert key not in log.read_text(encoding="utf-8", errors="replace"), log
    assert not [row for row in hasty.rows("SELECT content, error_message, error_detail FROM thread_messages")
                if key in "".join(map(str, row))]  # fmt: skip


async def test_retry_asks_again_and_both_answers_stay(hasty: Stack) -> None:
    async with people_of(hasty) as (owner, _):
        thread = await owner.thread()
        text = unique("[[script: drop after=5 times=1]]")
        failed = await owner.ask(thread, text)
        started = await owner.post(f"/api/runs/{failed['id']}/retry", status=202)
        again = await owner.ended(started["run_id"])
        after = unique("and now")
        await owner.ask(thread, after)

        assert (failed["status"], again["status"]) == ("failed", "succeeded")
        assert failed["input_message_id"] == again["input_message_id"]
        question, old, new, *_ = await owner.messages(thread)
        assert (old["content"], old["status"], old["error"]["code"]) == (FIVE, "failed", "dropped_stream")
        assert (new["content"], new["status"]) == (f"You said: {text.split(']] ')[1]}", "complete")
        assert old["parent_id"] == new["parent_id"] == question["id"]
        told = (await Fake(hasty.model_url).asked_once(after))["body"]["messages"]
        assert [message["content"] for message in told] == [text, new["content"], after]
        refused = await owner.call("POST", f"/api/runs/{started['run_id']}/cancel")
        assert (refused.status, refused.error["code"]) == (409, "already_finished")
    invariants(hasty)


async def test_a_run_that_waits_to_try_again_says_so_and_can_be_stopped(hasty: Stack) -> None:
    async with people_of(hasty) as (owner, _):
        thread = await owner.thread()
        async with owner.socket(thread) as socket:
            message = await owner.say(thread, unique("[[script: status code=429 retry=40]]"))
            await socket.until(
                lambda: any(frame["run"]["note"] for frame in socket.reader.of("run")), "a note on the wait"
            )
            assert any("40 s" in (frame["run"]["note"] or "") for frame in socket.reader.of("run"))
            await socket.send("cancel", run_id=message["run_id"])
            run = await socket.run_ended(message["run_id"], seconds=5)
        assert (run["status"], run["reason"], run["note"]) == ("cancelled", "stopped_by_user", None)
        rows = await owner.messages(thread)
        assert [row["status"] for row in rows] == ["complete", "stopped"]
    invariants(hasty)
