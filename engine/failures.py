"""From what went wrong on the wire to a ModelError: its code, and a sentence for the person."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp

from engine.answers import code_of_status, code_of_words, lengths_in, message_in, parsed, retry_after
from engine.errors import DETAIL_CHARS, ErrorCode, ModelError

_KEY_LIKE = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|nvapi|key|tok)[-_][\w\-.*]{6,}|\bAIza[\w\-]{10,}|\bBearer\s+\S+"
    r"|[\w\-]*\*{3,}[\w\-*]*",
    re.IGNORECASE,
)

_SENTENCES: dict[ErrorCode, str] = {
    "refused_key": "{who} refused the API key for {model}. Check the key in the provider's settings.",
    "no_credit": "{who} says that the account has no credit left for {model}. Add credit there, or choose a"
    " model of another provider.",
    "rate_limited": "{who} asks to slow down with {model}. {again}",
    "unknown_model": "{who} does not know the model {model}. Choose another model, or check the model's "
    "name and the provider's address, {url}.",
    "too_long": "This thread is longer than {model} at {who} can read{lengths}. Go on with a summary, or in a "
    "new thread; or set the model's context window to its true size.",
    "message_too_long": "The newest message is too long for {model} at {who}. Shorten it, or choose another model.",
    "content_refused": "{who} declined to answer with {model} because of its content rules. Rephrase the message.",
    "bad_request": "{who} did not accept the request for {model}{said} Check the agent's model settings.",
    "provider_error": "{who} had a problem of its own with {model} (HTTP {status}). {again}",
    "stream_error": "{who} broke off the answer of {model} with an error{said} Try again.",
    "bad_stream": "{who} sent something that cannot be read in the answer of {model}. Try again.",
    "dropped_stream": "{who} closed the connection before the answer of {model} was complete. Try again.",
    "unreachable": "{who} cannot be reached at {url}, so {model} was not asked. Check that the server runs "
    "and that the address is right.",
    "timeout_connect": "{who} did not accept a connection for {model} within {span} (limit: connect). Check"
    " that the server runs, or try again.",
    "timeout_first_byte": "{who} sent nothing of the answer of {model} within {span} (limit: first byte). "
    "Try again, or raise the limit.",
    "timeout_between_chunks": "{who} went silent in the middle of the answer of {model} for {span} (limit: "
    "between chunks). Try again, or raise the limit.",
    "timeout_total": "{model} at {who} had not finished its answer after {span} (limit: whole call). Ask "
    "for less at once, or raise the limit.",
}
_PAGE = "{who} answered with a web page instead of the answer of {model}. Check its address, {url}: most end in /v1."
_TLS = (
    "The secure connection to {who} at {url} failed, so {model} was not asked. Check the address and the "
    "server's certificate."
)
_FORBIDDEN = "{who} was not asked for {model}: {why}"
_REDIRECT = "{who} redirects {url} to another address, so {model} was not asked. Enter the final address."


class Failures:
    """Makes the errors of one model: knows whom to name and what to hide."""

    def __init__(self, *, provider: str, model: str, base_url: str, key: str) -> None:
        self._names = {"who": provider, "model": model, "url": base_url}
        self._key = key

    def make(
        self,
        code: ErrorCode,
        *,
        template: str = "",
        retryable: bool = False,
        wait: float | None = None,
        detail: str = "",
        **words: object,
    ) -> ModelError:
        again = f"Try again in {span(wait)}." if wait is not None else "Try again in a moment."
        sentence = (template or _SENTENCES[code]).format(**self._names, again=again, **words)
        sentence = self._without_key(sentence)
        return ModelError(code, sentence, retryable=retryable, retry_after=wait, detail=self._redact(detail))

    def from_status(self, status: int, headers: Mapping[str, str], body: str) -> ModelError:
        """The error of an HTTP answer that is not 2xx."""
        detail = f"HTTP {status}: {body}"
        if 300 <= status < 400:
            detail = f"HTTP {status}: Location: {headers.get('location', '')}"
            return self.make("provider_error", template=_REDIRECT, detail=detail)
        code, retryable = code_of_status(status, body)
        said = self._quoted(parsed(body))
        wait, lengths = retry_after(headers), lengths_in(body)
        return self.make(code, retryable=retryable, wait=wait, detail=detail, status=status, said=said, lengths=lengths)

    def from_stream(self, error: Any) -> ModelError:
        """The error of an error object inside the stream. What is plainly a known refusal keeps that code."""
        text = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False, default=str)
        code = code_of_words(text) or "stream_error"
        retryable = code in ("stream_error", "rate_limited")
        return self.make(code, retryable=retryable, detail=text, said=self._quoted(error), lengths=lengths_in(text))

    def from_connection(self, error: BaseException, connect_limit: float) -> ModelError:
        """The error of a connection that was not made, or broke before the answer began."""
        causes = list(_causes(error))
        detail = " <- ".join(f"{type(cause).__name__}: {cause}" for cause in causes)
        if refusals := [str(cause) for cause in causes if getattr(cause, "for_people", False)]:
            # The operator's rules forbid the address: asking again changes nothing.
            return self.make("unreachable", template=_FORBIDDEN, why=refusals[0], detail=detail)
        if _any(causes, aiohttp.ConnectionTimeoutError):
            return self.timeout("timeout_connect", connect_limit)
        if _any(causes, ssl.SSLError, aiohttp.ClientSSLError):
            return self.make("unreachable", template=_TLS, detail=detail)
        broken = (
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientPayloadError,
            ConnectionResetError,
            BrokenPipeError,
        )
        if _any(causes, *broken) and not _any(causes, aiohttp.ClientConnectorError):
            return self.dropped(detail)
        return self.make("unreachable", retryable=True, detail=detail)

    def timeout(self, code: ErrorCode, seconds: float) -> ModelError:
        return self.make(code, retryable=code != "timeout_total", span=span(seconds))

    def dropped(self, detail: str) -> ModelError:
        return self.make("dropped_stream", retryable=True, detail=detail)

    def bad_stream(self, detail: str) -> ModelError:
        return self.make("bad_stream", retryable=True, detail=detail)

    def page_instead(self, detail: str) -> ModelError:
        return self.make("bad_stream", template=_PAGE, detail=detail)

    def _without_key(self, text: str) -> str:
        if not self._key:
            return text
        return re.sub(rf"(?<!\w){re.escape(self._key)}(?!\w)", "[key]", text)

    def _redact(self, text: str) -> str:
        """A provider's words without what looks like a key and without NUL; at most 2,000 characters."""
        text = self._without_key(text)
        if len(self._key) >= 12:
            # Some providers repeat the beginning of the key they refuse.
            text = re.sub(re.escape(self._key[:6]) + r"[\w\-.*…]*", "[key]", text)
        return _KEY_LIKE.sub("[key]", text)[:DETAIL_CHARS].replace("\0", "")

    def _quoted(self, error: Any) -> str:
        words = self._redact(message_in(error))
        return f": “{words}”." if words else "."


def span(seconds: float) -> str:
    """A length of time in words: '1 second', '12 seconds', '3 minutes', '2 hours'."""
    if seconds > 5_400:
        return f"{seconds / 3_600:.0f} hours"
    if seconds > 90:
        return f"{seconds / 60:.0f} minutes"
    number = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"
    return f"{number} second" + ("" if number == "1" else "s")


def _any(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
