"""Tokens are those the server counted; where it counts none they are estimated, and marked so."""

from __future__ import annotations

from engine import BUILTIN_TOOLS, ModelCallFinished, ModelCallStarted
from tests.engine.conftest import Ask
from tests.fakellm import FakeLLM


async def test_the_usage_is_the_servers(ask: Ask, fake: FakeLLM) -> None:
    usage = (await ask("[[script: long n=30 rate=0]]")).one(ModelCallFinished).usage

    assert usage.output_tokens == 30
    assert usage.input_tokens > 0
    assert usage.cached_tokens == usage.input_tokens // 2
    assert not usage.estimated


async def test_without_usage_it_is_estimated_and_marked(ask: Ask) -> None:
    outcome = await ask("[[script: nousage]]", tools=BUILTIN_TOOLS)
    usage = outcome.one(ModelCallFinished).usage

    assert usage.estimated
    assert usage.output_tokens == len(outcome.text) // 4
    assert usage.input_tokens == outcome.one(ModelCallStarted).input_tokens_estimate
    assert usage.cached_tokens == 0


async def test_the_estimate_before_the_call_grows_with_what_is_sent(ask: Ask) -> None:
    short = (await ask("Hi")).one(ModelCallStarted)
    long = (await ask("Hi" + "x" * 4_000)).one(ModelCallStarted)

    assert long.input_tokens_estimate - short.input_tokens_estimate == 1_000
