"""Reads a body: JSON as the standard has it, and only what both databases can keep."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from common.errors import ZergError


class StrictParser(Parser):
    """Refuses NaN and Infinity (no JSON, though Python reads them), NUL characters and lone surrogates."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The body's value. Raises ZergError ``invalid_json`` (400) or ``bad_text`` (422)."""
        try:
            value = json.loads(request.body, parse_constant=_no_constant, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise ZergError("invalid_json", f"The body is no valid JSON: {str(error)[:200]}.") from error
        # Both can only be written with an escape, so that almost every body is spared the walk.
        raw = request.body
        if b"\\u0000" in raw or b"\\ud" in raw.lower():
            _require_storable(value)
        return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is out of range")
    return number


def _require_storable(value: Any) -> None:
    for name, part in value.items() if isinstance(value, dict) else [("body", value)]:
        text = json.dumps([name, part], ensure_ascii=False)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            message = "Text holds half of a character (a lone surrogate). Send it as valid Unicode."
            raise ZergError("bad_text", message, {_printable(name): message}) from error
        if "\\u0000" in text.replace("\\\\", ""):
            message = "Text holds a NUL character, which cannot be stored. Remove it."
            raise ZergError("bad_text", message, {_printable(name): message})


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()
