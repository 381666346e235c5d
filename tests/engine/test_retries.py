"""A call that failed before its first text is tried again, when that may help and as the provider asks."""

from __future__ import annotations

import time

import pytest

from engine import AttemptFailed, Limits, ModelCallFinished, ModelCallStarted, ModelError
from engine.answers import retry_after
from engine.attempts import wait_before
from tests.engine.conftest import Ask
from tests.fakellm import FakeLLM


async def test_the_wait_the_provider_asks_for_is_kept(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: status code=429 retry=1 times=1]] ok")

    failed = outcome.one(AttemptFailed)
    assert (failed.error.code, failed.attempt, failed.retry_in) == ("rate_limited", 1, 1.0)
    assert "Try again in 1 second." in failed.error.message
    first, second = (record.time for record in fake.records)
    assert 1.0 <= second - first < 2.0
    assert outcome.text == "You said: ok"
    assert outcome.one(ModelCallFinished).attempt == 2
    assert len(outcome.all(ModelCallStarted)) == 1


async def test_a_wait_in_milliseconds_is_understood(ask: Ask) -> None:
    outcome = await ask("[[script: status code=429 retryms=120 retry=9]]")

    assert outcome.one(AttemptFailed).retry_in == pytest.approx(0.12)


async def test_a_wait_until_a_date_is_understood(ask: Ask) -> None:
    outcome = await ask("[[script: status code=503 retrydate=2]]")

    assert 0.5 < outcome.one(AttemptFailed).retry_in <= 2.0


async def test_a_wait_of_minutes_is_told_and_not_waited_for(ask: Ask, fake: FakeLLM) -> None:
    started = time.monotonic()
    outcome = await ask("[[script: status code=429 retry=300 times=9]]")

    assert outcome.failure.code == "rate_limited"
    assert outcome.failure.retry_after == 300
    assert "Try again in 5 minutes." in outcome.failure.message
    assert time.monotonic() - started < 1.0
    assert len(fake.records) == 1


async def test_attempts_come_to_an_end(ask: Ask, fake: FakeLLM) -> None:
    outcome = await ask("[[script: status code=500 error=x times=9 retryms=10]]", limits=Limits(attempts=3))

    assert [failed.attempt for failed in outcome.all(AttemptFailed)] == [1, 2]
    assert outcome.failure.code == "provider_error"
    assert len(fake.records) == 3


@pytest.mark.parametrize("script", ["drop", "badjson", "streamerror", "errorevent"])
async def test_a_stream_that_broke_before_any_text_is_tried_again(ask: Ask, fake: FakeLLM, script: str) -> None:
    outcome = await ask(f"[[script: {script} after=0 times=1]] ok")

    assert outcome.text == "You said: ok"
    assert outcome.one(AttemptFailed).attempt == 1


@pytest.mark.parametrize("script", ["401", "402", "404", "toolong", "filter", "page"])
async def test_what_will_not_change_is_not_tried_again(ask: Ask, fake: FakeLLM, script: str) -> None:
    outcome = await ask(f"[[script: {script}]]")

    assert not outcome.failure.retryable
    assert outcome.all(AttemptFailed) == []
    assert len(fake.records) == 1


def test_waits_double_and_are_not_all_alike() -> None:
    error = ModelError("provider_error", "x", retryable=True)
    for attempt, middle in ((2, 0.5), (3, 1.0), (4, 2.0), (9, 8.0)):
        waits = {wait_before(attempt, error) for _ in range(50)}
        assert len(waits) > 10
        assert all(0.75 * middle <= wait <= 1.25 * middle for wait in waits)


@pytest.mark.parametrize("value", ["", "soon", "nan", "Wed, 99 Foo 2026"])
def test_a_retry_after_that_says_nothing_is_none(value: str) -> None:
    assert retry_after({"retry-after": value}) is None


def test_a_retry_after_in_the_past_is_no_wait() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "-5"}) == 0.0
