"""Why a model call failed, as a code for programs and a sentence a person can act on."""

from __future__ import annotations

from typing import Literal

ErrorCode = Literal[
    "refused_key",
    "no_credit",
    "rate_limited",
    "unknown_model",
    "too_long",
    "message_too_long",
    "timeout_connect",
    "timeout_first_byte",
    "timeout_between_chunks",
    "timeout_total",
    "dropped_stream",
    "bad_stream",
    "stream_error",
    "provider_error",
    "unreachable",
    "bad_request",
    "content_refused",
]

DETAIL_CHARS = 2_000


class ModelError(Exception):
    """A model call that failed.

    `message` names the provider and the model and never holds a key. `retryable` says whether the same
    request may succeed later; `retry_after` is the wait in seconds the provider asked for, or None. `detail`
    holds the provider's own words, redacted and at most 2,000 characters.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after
        self.detail = detail[:DETAIL_CHARS]

    def __repr__(self) -> str:
        return f"ModelError({self.code!r}, {self.message!r})"
