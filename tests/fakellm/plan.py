"""What the server is to do with one request, and reading that from the request's words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakellm.stories import STORIES

Fault = Literal["", "drop", "reset", "badjson", "streamerror", "errorevent", "hang", "silence"]


@dataclass
class Call:
    """A tool call to ask for. Streamed by index, its arguments in `pieces` parts; `whole` in one delta, no
    index."""

    id: str
    name: str
    arguments: str
    pieces: int = 3
    whole: bool = False


@dataclass
class Plan:
    """`rate` in tokens per second (0: at once), `first` in seconds before the first token; `fault` strikes
    once `after` tokens were sent. `status` other than 200 answers `error` with `headers` instead."""

    tokens: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    rate: float = 0.0
    first: float = 0.0
    finish: str = ""
    usage: bool = True
    done: bool = True
    stamp: bool = False
    splits: bool = False
    line_end: str = "\n"
    comments: bool = False
    fault: Fault = ""
    after: int = 0
    status: int = 200
    error: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    whole_body: bool = False
    without_headers: bool = False


@dataclass
class Asked:
    """A request, as far as scripts look at it. `results` are the tool results since the last user message."""

    text: str
    results: list[str]
    key: str
    body: dict[str, Any]
    nth: int
    """How often this very text was asked before, from 0, requests after tool results not counted."""


_SCRIPT = re.compile(r"\[\[script:\s*([\w-]+)\s*(.*?)\]\]", re.DOTALL)
_SUMMARY_SCRIPT = re.compile(r"\[\[summary-script:\s*([\w-]+)\s*(.*?)\]\]", re.DOTALL)
_PARAMETER = re.compile(r"\s*(\w+)=")


def find_script(text: str) -> tuple[str, dict[str, str]]:
    """(name, parameters) of the script in `text`; ('echo', {}) or ('summary', {}) without one."""
    if text in STORIES:
        return STORIES[text]
    folding = text.startswith(("Conversation:", "Earlier summary:"))
    found = (_SUMMARY_SCRIPT if folding else _SCRIPT).search(text)
    if found:
        return found[1], read_parameters(found[2])
    return ("summary" if folding else "echo"), {}


def without_script(text: str) -> str:
    return _SCRIPT.sub("", text).strip()


def read_parameters(text: str) -> dict[str, str]:
    """`n=3 args={"a": "b c"} message="two words"` as a dict of strings."""
    parameters: dict[str, str] = {}
    position = 0
    while found := _PARAMETER.match(text, position):
        position = found.end()
        if text[position : position + 1] in ('"', "{", "["):
            value, length = json.JSONDecoder().raw_decode(text[position:])
            parameters[found[1]] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        else:
            value = text[position:].split(maxsplit=1)[0] if text[position:].strip() else ""
            length = len(value)
            parameters[found[1]] = value
        position += length
    return parameters


def last_user_text(messages: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """The last user message's text, and the tool results that follow it."""
    results: list[str] = []
    for message in reversed(messages):
        content = message.get("content") or ""
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        if message.get("role") == "user":
            return content, results[::-1]
        if message.get("role") == "tool":
            results.append(content)
    return "", results[::-1]
