"""A process for one check: a question on stdin, what is wrong on stdout. Only ``runs.checks`` starts it."""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from typing import Any

MOST_MEMORY = 1024**3


def main() -> None:
    question = json.load(sys.stdin)
    _limit(question["seconds"])
    problem = PROBLEM_OF[question["kind"]](question["text"], question["answer"])
    json.dump(problem, sys.stdout)


def _limit(seconds: int) -> None:
    """So much time of the processor and so much memory, where the system can hold it to that."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def no_match(expression: str, answer: str) -> str:
    found = re.search(expression, answer, re.MULTILINE)
    return "" if found else f"The answer was to match the expression {expression[:200]}, and does not."


def not_by_schema(schema: str, answer: str) -> str:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        value: Any = json.loads(without_fence(answer))
    except (ValueError, RecursionError) as error:
        return f"The answer was to be JSON, and is not: {error}."
    try:
        # An own registry: the default one would fetch what a schema refers to from the network.
        wrong = best_match(Draft202012Validator(json.loads(schema), registry=Registry()).iter_errors(value))
    except (Unresolvable, RecursionError) as error:
        return f"The schema refers to what is not in it, or to itself without end ({type(error).__name__})."
    if wrong is None:
        return ""
    return f"The answer is JSON, and not by the schema: at {wrong.json_path}, {wrong.message[:300]}."


def without_fence(answer: str) -> str:
    """The JSON of an answer that is one block of code, as models like to write it; else the answer."""
    found = re.fullmatch(r"\s*```\w*\n(.*?)\n?```\s*", answer, re.DOTALL)
    return found[1] if found else answer


PROBLEM_OF = {"regex": no_match, "json_schema": not_by_schema}

if __name__ == "__main__":
    main()
