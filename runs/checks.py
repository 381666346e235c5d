"""The check of a run's answer: what may be asked for, and whether an answer is it.

Expressions and schemas are written by people, and answers by models: some pairs of them take years. They meet in a
process of their own, which is ended after a few seconds.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from agents.toolbox import TOOLS
from common.errors import ZergError
from runs.terms import CheckKind

log = logging.getLogger(__name__)

SECONDS = 5
LONGEST = {CheckKind.CONTAINS: 2_000, CheckKind.REGEX: 1_000, CheckKind.JSON_SCHEMA: 20_000, CheckKind.TOOL: 64}
PROGRAM = Path(__file__).with_name("check_program.py")
NOT_CALLED = "The tool {} was to be called, and it was not called or did not work."


def validate(kind: str, text: str) -> None:
    """Whether a check may be saved. Raises ZergError(``bad_schedule``) with the field ``check_text``."""
    check = CheckKind(kind)
    if check == CheckKind.ANSWER:
        return
    if not text.strip():
        _refuse("Say what the answer is checked for.")
    if len(text) > LONGEST[check]:
        _refuse(f"It is too long: {len(text):,} characters, at most {LONGEST[check]:,}.")
    if check == CheckKind.REGEX:
        _require_expression(text)
    elif check == CheckKind.JSON_SCHEMA:
        _require_schema(text)
    elif check == CheckKind.TOOL and text not in TOOLS:
        _refuse(f"There is no tool “{text}”. There are {', '.join(TOOLS)}.")


def _require_expression(text: str) -> None:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        _refuse(f"It is no regular expression: {error}.")


def _require_schema(text: str) -> None:
    from jsonschema import Draft202012Validator, SchemaError  # only who saves or checks one waits for it

    try:
        schema: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        _refuse(f"It is not valid JSON: {error}.")
    if not isinstance(schema, dict):
        _refuse("A JSON schema is an object, such as {“type”: “object”, “required”: [“price”]}.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        _refuse(f"It is no JSON schema: {error.message[:200]}.")
    except RecursionError:
        _refuse("It is nested too deeply.")


def _refuse(sentence: str) -> NoReturn:
    raise ZergError("bad_schedule", sentence, {"check_text": sentence})


def problem_of(kind: CheckKind, text: str, answer: str) -> str:
    """What is wrong with ``answer``, in a sentence; empty when it passes. May take some seconds: not for a loop."""
    if kind == CheckKind.CONTAINS:
        missing = [line.strip() for line in text.splitlines() if line.strip() and _folded(line) not in _folded(answer)]
        return f"The answer was to contain “{missing[0][:200]}”, and does not." if missing else ""
    if kind in (CheckKind.REGEX, CheckKind.JSON_SCHEMA):
        return _ask_program(kind, text, answer)
    return ""


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _ask_program(kind: CheckKind, text: str, answer: str) -> str:
    question = json.dumps({"kind": kind.value, "text": text, "answer": answer, "seconds": SECONDS})
    try:
        # Isolated (-I): it imports what is installed, and nothing from the folder it is started in.
        done = subprocess.run(  # noqa: S603 - our own program; what people wrote is its input
            [sys.executable, "-I", str(PROGRAM)],
            input=question.encode(),
            capture_output=True,
            timeout=2 * SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return f"The check took longer than {SECONDS} seconds and was given up. Make it simpler."
    except subprocess.CalledProcessError as error:
        log.warning("A check (%s) ended with %s: %s", kind, error.returncode, error.stderr[-2000:])
        return "The check could not be made: it took too much time or memory. Make it simpler."
    return str(json.loads(done.stdout))
