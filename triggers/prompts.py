"""Variables in prompts: plain replacement, never a template language."""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\{\{ ?(\w+) ?\}\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with ``{{name}}`` replaced for each name in ``values``, in one pass: what is put in is not looked at."""
    return VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def names_in(text: str) -> set[str]:
    """The variables that a prompt names."""
    return set(VARIABLE.findall(text))
