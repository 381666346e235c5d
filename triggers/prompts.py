"""Variables in prompts: plain replacement, in one pass; never a template language."""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with each ``{{name}}`` that ``values`` has in its place. Others stay, and nothing is replaced twice."""
    return VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)
