"""One call of a model: the request out, the stream in. Reads raw bytes; nothing is made per token but its
text."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from engine.client import make_client
from engine.errors import ErrorCode, ModelError
from engine.events import ReasoningDelta, TextDelta, Usage
from engine.failures import Failures
from engine.limits import Limits
from engine.patience import Patience
from engine.request import request_body
from engine.spec import RunSpec
from engine.sse import MAX_EVENT_BYTES, EventTooLarge, ServerEvent, SSESplitter
from engine.tokens import messages_tokens, text_tokens
from engine.transcript import Message
from engine.wire import Assembler, decode

if TYPE_CHECKING:
    import openai

    from engine.tools import Tool

__all__ = ["ChatModel", "Reply", "make_client"]

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Of one answer: no model writes that, and a server that does would fill the memory."""

DRAIN_SECONDS = 0.05
"""How long to wait for the end of the body after `[DONE]`, so that the connection can be used again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The whole answer of one call. `finish_reason` is the server's word: stop, length, tool_calls, …"""

    message: Message
    reasoning: str
    usage: Usage
    finish_reason: str


class ChatModel:
    """A provider's models behind an OpenAI-compatible address. Safe to share between runs of one event loop.

    `name` is the model as the person knows it, used in sentences; the request names `spec.model`.
    """

    def __init__(self, client: openai.AsyncOpenAI, *, name: str, provider_name: str) -> None:
        self.client = client
        self.name = name
        self.provider_name = provider_name
        self._without_stream_options = False
        self._completion_tokens_name = "max_tokens"

    @property
    def failures(self) -> Failures:
        base_url = str(self.client.base_url.copy_with(userinfo=b"", query=None)).rstrip("/")
        return Failures(provider=self.provider_name, model=self.name, base_url=base_url, key=self.client.api_key)

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool], spec: RunSpec, limits: Limits
    ) -> AsyncGenerator[TextDelta | ReasoningDelta | Reply, None]:
        """One attempt: the deltas as they come, then the Reply. Raises ModelError, after what was read was
        yielded.

        Close it (`contextlib.aclosing`) or cancel the task, and the connection closes at once.
        """
        body = request_body(messages, tools, spec)
        reading = _Reading(self.failures, limits)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(reading.patience.close)
            response = await self._open(stack, body, reading)
            chunks = response.iter_bytes()
            while not reading.done:
                reading.feed(await reading.next_chunk(chunks))
                reasoning, text = reading.reply.take()
                if reasoning:
                    yield ReasoningDelta(reasoning)
                if text:
                    yield TextDelta(text)
                if reading.error is not None:
                    raise reading.error
            with contextlib.suppress(Exception):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await anext(chunks, None)
        yield reading.finish(messages, body)

    async def _open(self, stack: contextlib.AsyncExitStack, body: dict[str, Any], reading: _Reading) -> Any:
        """The response with its headers read. Repeats without what the server names as unknown to it."""
        import httpx2
        import openai

        limits = reading.limits
        create: Any = self.client.chat.completions.with_streaming_response.create
        timeout = httpx2.Timeout(None, connect=limits.connect, pool=limits.connect)
        while True:
            sent = self._dialect(body)
            try:
                async with asyncio.timeout(reading.time_left()):
                    # What goes as `extra_body` is sent as it is. As arguments, each message of a long history would
                    # be taken apart and put together again, in vain: milliseconds for every twenty of them.
                    call = create(model=sent["model"], messages=(), stream=True, extra_body=sent, timeout=timeout)
                    return await stack.enter_async_context(call)
            except TimeoutError as error:
                raise reading.timed_out() from error
            except openai.APIStatusError as error:
                if self._learn(error, sent):
                    continue
                text = error.response.text or str(error.message)
                raise reading.failures.from_status(error.status_code, error.response.headers, text) from error
            except (openai.APIConnectionError, aiohttp.ClientError, OSError) as error:
                raise reading.failures.from_connection(error, limits.connect) from error
            except (openai.OpenAIError, ValueError) as error:
                raise reading.failures.make("bad_request", said=".", detail=str(error)) from error

    def _dialect(self, body: dict[str, Any]) -> dict[str, Any]:
        body = dict(body)
        if not self._without_stream_options:
            body["stream_options"] = {"include_usage": True}
        if "max_tokens" in body:
            body[self._completion_tokens_name] = body.pop("max_tokens")
        return body

    def _learn(self, error: openai.APIStatusError, sent: dict[str, Any]) -> bool:
        """Whether the refusal names something we can do without; then the same request is worth repeating."""
        if error.status_code not in (400, 422):
            return False
        words = error.response.text
        if "stream_options" in words and "stream_options" in sent:
            self._without_stream_options = True
            return True
        if "max_completion_tokens" in words and "max_tokens" in sent:
            self._completion_tokens_name = "max_completion_tokens"
            return True
        return False


class _Reading:
    """The state of reading one response: clock, splitter, reply. `done` when nothing more is needed."""

    def __init__(self, failures: Failures, limits: Limits) -> None:
        self.failures = failures
        self.limits = limits
        self.reply = Assembler()
        self.patience = Patience()
        self.done = False
        self.error: ModelError | None = None
        self._events = SSESplitter()
        self._whole: bytearray | None = None
        self._size = 0
        self._seen = False
        self._now = asyncio.get_running_loop().time
        self._started = self._now()

    def time_left(self) -> float:
        """Seconds until the next limit strikes."""
        total = self._started + self.limits.total - self._now()
        if self._seen:
            return min(total, self.limits.between_chunks)
        return min(total, self._started + self.limits.first_byte - self._now())

    def timed_out(self) -> ModelError:
        limits = self.limits
        code: ErrorCode = "timeout_between_chunks" if self._seen else "timeout_first_byte"
        seconds = limits.between_chunks if self._seen else limits.first_byte
        if self._now() - self._started >= limits.total:
            code, seconds = "timeout_total", limits.total
        return self.failures.timeout(code, seconds)

    async def next_chunk(self, chunks: AsyncIterator[bytes]) -> bytes:
        """The next network read, b"" at the end of the body. A break after the finish reason is an end."""
        failure: ModelError
        cause: Exception
        try:
            return await self.patience.wait(anext(chunks, b""), self.time_left())
        except TimeoutError as error:
            failure, cause = self.timed_out(), error
        except Exception as error:
            import httpx2

            if not isinstance(error, httpx2.HTTPError | httpx2.StreamError | aiohttp.ClientError | OSError):
                raise
            failure, cause = self.failures.dropped(f"{type(error).__name__}: {error}"), error
        if self.reply.finish_reason:
            return b""
        raise failure from cause

    def feed(self, chunk: bytes) -> None:
        if not self._seen:
            self._seen = True
            start = chunk.lstrip()[:1]
            if start == b"{":
                self._whole = bytearray()
            elif start == b"<":
                self.error = self.failures.page_instead(chunk.decode("utf-8", "replace"))
                return
        self._size += len(chunk)
        if self._size > MAX_BODY_BYTES:
            self.error = self.failures.bad_stream(f"an answer of more than {MAX_BODY_BYTES} bytes")
            return
        try:
            if self._whole is not None:
                self._feed_whole(chunk)
                return
            for event in self._events.feed(chunk) if chunk else self._events.finish():
                self._take(event)
                if self.done or self.error is not None:
                    break
            if not chunk:
                self._end()
        except EventTooLarge:
            self.error = self.failures.bad_stream(f"an event of more than {MAX_EVENT_BYTES} bytes")

    def _feed_whole(self, chunk: bytes) -> None:
        """A server that does not stream: one JSON body."""
        assert self._whole is not None
        self._whole += chunk
        if len(self._whole) > MAX_EVENT_BYTES:
            raise EventTooLarge
        if not chunk:
            self._take(ServerEvent(b"", bytes(self._whole)))
            if self.error is None:
                self.reply.finish_reason = self.reply.finish_reason or "stop"
                self.done = True

    def _take(self, event: ServerEvent) -> None:
        data = event.data.strip()
        if data == b"[DONE]":
            self.done = True
            return
        if event.name == b"error":
            self.error = self._stream_error(data)
            return
        if not data:
            return
        try:
            chunk = decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.error = self.failures.bad_stream(f"{error}: {data[:1500].decode('utf-8', 'replace')}")
            return
        if chunk.error is not None:
            self.error = self.failures.from_stream(chunk.error)
        elif chunk.object == "error":
            self.error = self.failures.from_stream(chunk.message)
        else:
            self.reply.add(chunk)

    def _stream_error(self, data: bytes) -> ModelError:
        try:
            parsed: Any = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            parsed = data.decode("utf-8", "replace")
        return self.failures.from_stream(parsed)

    def _end(self) -> None:
        """The body ended. Without `[DONE]` that is well if the model had said that it was finished."""
        if self.error is not None and self.error.code == "bad_stream":
            self.error = None  # half an event at the end: the connection broke, the server did not err
        if self.reply.finish_reason:
            self.done = True
        elif not self.done and self.error is None:
            self.error = self.failures.dropped("the body ended without finish_reason or [DONE]")

    def finish(self, messages: Sequence[Message], body: dict[str, Any]) -> Reply:
        text, reasoning, calls = "".join(self.reply.text), "".join(self.reply.reasoning), self.reply.calls()
        if self.reply.finish_reason == "content_filter" and not text and not calls:
            raise self.failures.make("content_refused")
        message = Message("assistant", text, tool_calls=calls)
        finish_reason = self.reply.finish_reason or ("tool_calls" if calls else "stop")
        return Reply(message, reasoning, self._usage(message, reasoning, messages, body), finish_reason)

    def _usage(self, message: Message, reasoning: str, messages: Sequence[Message], body: dict[str, Any]) -> Usage:
        usage = self.reply.usage
        if usage is not None and usage.prompt_tokens is not None:
            details = usage.prompt_tokens_details
            cached = (details.cached_tokens if details else None) or usage.prompt_cache_hit_tokens or 0
            return Usage(usage.prompt_tokens, cached, usage.completion_tokens or 0, estimated=False)
        tools = text_tokens(msgspec.json.encode(body.get("tools", [])).decode()) if body.get("tools") else 0
        output = messages_tokens([message]) - 4 + text_tokens(reasoning)
        return Usage(messages_tokens(messages) + tools, 0, output, estimated=True)
