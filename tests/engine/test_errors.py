"""Whatever a provider does wrong, the run ends in a typed error with a sentence a person can act on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from engine import AttemptFailed, ChatModel, Limits, ModelCallFinished, make_client
from engine.errors import DETAIL_CHARS
from tests.engine.conftest import FAST, KEY, Ask, Outcome, collect
from tests.fakellm import FakeLLM

ONCE = Limits(connect=2.0, first_byte=5.0, between_chunks=5.0, total=20.0, attempts=1)


def assert_sentence(outcome: Outcome) -> None:
    """The error names provider and model, reads as a sentence, and holds no key."""
    error = outcome.failure
    assert "Fakeworks" in error.message
    assert "fake-1" in error.message
    assert error.message[0].isupper()
    assert error.message.endswith(".")
    assert "{" not in error.message
    assert KEY not in error.message + error.detail
    assert len(error.detail) <= DETAIL_CHARS


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("401", "refused_key"),
        ("status code=403 message=Forbidden error=x", "refused_key"),
        ("402", "no_credit"),
        ('status code=429 error=insufficient_quota message="You exceeded your current quota"', "no_credit"),
        ('status code=400 message="Your credit balance is too low to access the API" error=x', "no_credit"),
        ("status code=429", "rate_limited"),
        ("404", "unknown_model"),
        ('status code=404 message="Not Found" error=x', "unknown_model"),
        ('status code=400 message="foo/bar is not a valid model ID" error=400', "unknown_model"),
        ("toolong", "too_long"),
        ("500", "provider_error"),
        ("status code=503 error=x", "provider_error"),
        ("status code=529 error=overloaded_error", "provider_error"),
        ('status code=400 message="Bad value for temperature" error=x', "bad_request"),
        ("status code=422 error=x", "bad_request"),
        ("status code=400 error=content_policy_violation", "content_refused"),
        ("filter", "content_refused"),
        ("drop after=0", "dropped_stream"),
        ("reset after=0", "dropped_stream"),
        ("badjson after=0", "bad_stream"),
        ("page", "bad_stream"),
        ("streamerror after=0", "stream_error"),
        ("errorevent after=0", "stream_error"),
        ("status code=307 location=http://127.0.0.1:1/elsewhere", "provider_error"),
    ],
)
async def test_each_failure_has_its_code_and_sentence(ask: Ask, script: str, code: str) -> None:
    outcome = await ask(f"[[script: {script}]]", limits=ONCE)

    assert outcome.failure.code == code
    assert_sentence(outcome)


@pytest.mark.parametrize(
    "wording",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "the request exceeds the available context size. try increasing the context size",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        "input length exceeds the context length",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "Please reduce the length of the messages or completion.",
    ],
)
async def test_too_long_is_understood_in_every_dialect(ask: Ask, wording: str) -> None:
    outcome = await ask(f'[[script: status code=400 error=x message="{wording}"]]', limits=ONCE)

    assert outcome.failure.code == "too_long"
    assert wording in outcome.failure.detail


@pytest.mark.parametrize("script", ["drop after=5", "reset after=5"])
async def test_a_stream_that_is_dropped_keeps_its_text_and_is_not_tried_again(
    ask: Ask, fake: FakeLLM, script: str
) -> None:
    outcome = await ask(f"[[script: {script} rate=100]]")

    assert outcome.failure.code == "dropped_stream"
    assert outcome.text == "w0 w1 w2 w3 w4 "
    assert outcome.all(AttemptFailed) == []
    assert len(fake.records) == 1
    assert_sentence(outcome)


@pytest.mark.parametrize(
    ("script", "code"),
    [("badjson", "bad_stream"), ("streamerror", "stream_error"), ("errorevent", "stream_error")],
)
async def test_an_error_in_the_middle_keeps_the_text_before_it(ask: Ask, fake: FakeLLM, script: str, code: str) -> None:
    outcome = await ask(f"[[script: {script} after=5 rate=0]]")

    assert outcome.failure.code == code
    assert outcome.text == "w0 w1 w2 w3 w4 "
    assert outcome.all(ModelCallFinished) == []
    assert len(fake.records) == 1


async def test_an_error_in_the_stream_is_quoted(ask: Ask) -> None:
    outcome = await ask('[[script: streamerror after=0 message="GPU on fire"]]', limits=ONCE)

    assert "“GPU on fire”" in outcome.failure.message
    assert "GPU on fire" in outcome.failure.detail


async def test_an_error_in_the_stream_that_is_a_known_refusal_keeps_that_code(ask: Ask) -> None:
    outcome = await ask("[[script: streamerror after=0 code=context_length_exceeded]]", limits=ONCE)

    assert outcome.failure.code == "too_long"


async def test_a_key_that_the_provider_repeats_is_never_shown(ask: Ask) -> None:
    outcome = await ask("[[script: 401]]")

    assert "[key]" in outcome.failure.detail
    assert KEY not in outcome.failure.detail
    partly = await ask(f'[[script: status code=401 message="Incorrect API key provided: {KEY[:9]}*****cdef"]]')
    assert KEY[:9] not in partly.failure.detail
    assert "cdef" not in partly.failure.detail


async def test_a_huge_error_page_is_cut(ask: Ask) -> None:
    outcome = await ask(f'[[script: status code=400 error=x message="{"y" * 9000}"]]')

    assert len(outcome.failure.detail) == DETAIL_CHARS
    assert len(outcome.failure.message) < 500


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = make_client(f"http://127.0.0.1:{port}/v1", KEY)
    model = ChatModel(client, name="fake-1", provider_name="Fakeworks")
    outcome = await collect(model, "Hi", limits=ONCE)
    await client.close()

    assert outcome.failure.code == "unreachable"
    assert f"127.0.0.1:{port}" in outcome.failure.message
    assert_sentence(outcome)


async def test_a_name_that_does_not_exist_is_unreachable() -> None:
    client = make_client("http://no-such-host.invalid/v1", KEY)
    model = ChatModel(client, name="fake-1", provider_name="Fakeworks")
    outcome = await collect(model, "Hi", limits=ONCE)
    await client.close()

    assert outcome.failure.code == "unreachable"
    assert_sentence(outcome)


async def test_plain_http_where_tls_is_expected_is_unreachable(fake: FakeLLM) -> None:
    client = make_client(fake.url.replace("http:", "https:"), KEY)
    model = ChatModel(client, name="fake-1", provider_name="Fakeworks")
    outcome = await collect(model, "Hi", limits=ONCE)
    await client.close()

    assert outcome.failure.code == "unreachable"
    assert "secure connection" in outcome.failure.message


async def test_an_address_that_is_none_is_an_error_and_not_a_crash() -> None:
    client = make_client("nonsense", KEY)
    model = ChatModel(client, name="fake-1", provider_name="Fakeworks")
    outcome = await collect(model, "Hi", limits=ONCE)
    await client.close()

    assert outcome.failure.code in ("unreachable", "bad_request")
    assert_sentence(outcome)


async def test_a_peer_that_closes_without_a_word_has_dropped_the_stream() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = make_client(f"http://127.0.0.1:{port}/v1", KEY)
    model = ChatModel(client, name="fake-1", provider_name="Fakeworks")
    outcome = await collect(model, "Hi", limits=ONCE)
    await client.close()
    server.close()

    assert outcome.failure.code == "dropped_stream"
    assert_sentence(outcome)


async def test_a_run_can_go_on_with_the_next_message_after_every_error(ask: Ask) -> None:
    for script in ("401", "drop after=3", "badjson after=3", "streamerror after=3"):
        assert (await ask(f"[[script: {script}]]", limits=FAST)).error is not None
        assert (await ask("Hello")).text == "You said: Hello"
