"""Reading a provider's refusal: what its status, headers and words mean."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from engine.errors import ErrorCode

# The wordings of OpenAI, Anthropic, Gemini, Mistral, Groq, OpenRouter, vLLM, llama.cpp and Ollama.
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|request_too_large|string_above_max_length"
    r"|maximum context length|maximum model length|max_model_len|available context size"
    r"|(?:exceed\w*|longer than|larger than) (?:the |its |model'?s? |maximum |max |input )*context"
    r"|prompt is too long|prompt too long|too many (?:input )?tokens|too large for model"
    r"|reduce the length of the (?:messages|prompt|input)"
    r"|input token count \S+ exceeds|exceeds? the maximum number of (?:input )?tokens",
    re.IGNORECASE,
)
_LENGTHS = (
    re.compile(r"context length (?:is|of) (?P<most>\d+) tokens.{0,80}?(?P<asked>\d+) tokens", re.DOTALL),
    re.compile(r"prompt is too long: (?P<asked>\d+) tokens > (?P<most>\d+)"),
    re.compile(r"token count \(?(?P<asked>\d+)\)? exceeds .{0,60}?\((?P<most>\d+)\)"),
)
_NO_CREDIT = re.compile(
    r"insufficient_quota|insufficient[ _](?:credits?|balance|funds)|exceeded your current quota"
    r"|credit balance is too low|billing_(?:hard_limit|not_active)|out of credits|payment required",
    re.IGNORECASE,
)
_BAD_KEY = re.compile(r"invalid_api_key|incorrect api key|invalid api key|authentication_error", re.IGNORECASE)
_RATE = re.compile(r"rate_limit|rate limit|too many requests|resource_exhausted", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model_not_found|not a valid model|unknown model|invalid model name|no such model"
    r"|model\b.{0,120}\b(?:not found|does not exist|not exist|is not available)",
    re.IGNORECASE | re.DOTALL,
)
_REFUSED = re.compile(r"content_filter|content_policy|content management policy|safety system", re.IGNORECASE)

_MEANINGS: tuple[tuple[re.Pattern[str], ErrorCode], ...] = (
    (_NO_CREDIT, "no_credit"),
    (_TOO_LONG, "too_long"),
    (_BAD_KEY, "refused_key"),
    (_RATE, "rate_limited"),
    (_NO_MODEL, "unknown_model"),
    (_REFUSED, "content_refused"),
)
_ALWAYS: dict[int, tuple[ErrorCode, bool]] = {
    402: ("no_credit", False),
    404: ("unknown_model", False),
    408: ("provider_error", True),
    409: ("provider_error", True),
    413: ("too_long", False),
    425: ("provider_error", True),
    429: ("rate_limited", True),
}


def code_of_words(text: str) -> ErrorCode | None:
    """What a provider's words plainly mean, or None."""
    return next((code for pattern, code in _MEANINGS if pattern.search(text)), None)


def lengths_in(text: str) -> str:
    """How long a request was and how long it may be, as its refusal says it: " (9,001 of 8,192 tokens)", or nothing."""
    found = next((match for pattern in _LENGTHS if (match := pattern.search(text))), None)
    return f" ({int(found['asked'][:12]):,} of {int(found['most'][:12]):,} tokens)" if found else ""


def code_of_status(status: int, body: str) -> tuple[ErrorCode, bool]:
    """(code, whether to try again) of an HTTP status that is not 2xx and what came with it."""
    words = code_of_words(body)
    if words == "no_credit" or (words == "too_long" and status in (400, 422, 500)):
        return words, False
    if status in (401, 403):
        return ("content_refused" if words == "content_refused" else "refused_key"), False
    if status in _ALWAYS:
        return _ALWAYS[status]
    if status >= 500:
        return "provider_error", True
    if 400 <= status < 500:
        return words or "bad_request", words == "rate_limited"
    return "provider_error", False


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asks to wait, from `retry-after-ms` or `Retry-After` (seconds or an HTTP date),
    or None."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if not value:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, TypeError):
                continue
        if seconds == seconds:  # not NaN
            return min(max(seconds, 0.0), 10 * 365 * 86_400.0)
    return None


def parsed(body: str) -> Any:
    """The body as JSON, or as it is."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def message_in(error: Any) -> str:
    """What an error object says to people: its `error`, `message` or `detail`, however nested; at most 300
    characters."""
    for _ in range(3):
        if isinstance(error, dict):
            error = error.get("error") or error.get("message") or error.get("detail") or ""
    return error.strip()[:300] if isinstance(error, str) and not error.lstrip().startswith("<") else ""
