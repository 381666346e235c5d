"""The environment as people give it: variables, ``NAME_FILE``, and paths as seen from where they stand."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from zerg_site.launch.say import LaunchError

PATHS = ("ZERG_DATA_DIR", "ZERG_LOCAL_GGUF")
OURS = ("ZERG_", "OPENAI_", "DATABASE_URL", "REDIS_URL")


def setting(environ: MutableMapping[str, str], name: str) -> str:
    """The variable ``name``, or the content of the file that ``name_FILE`` points to, or an empty string."""
    value = environ.get(name, "").strip()
    path = environ.get(f"{name}_FILE", "")
    if value or not path:
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LaunchError(f"{name}_FILE points to {path}, which cannot be read ({error.strerror})") from error


def anchor_paths(environ: MutableMapping[str, str]) -> Path:
    """Makes our relative paths absolute, as seen from where the person stands. Returns that folder.

    The parts run in Zerg's own folder, so a relative path would otherwise change its meaning on the way.
    """
    here = Path(environ.pop("ZERG_CALLED_FROM", "") or Path.cwd())
    for name, value in list(environ.items()):
        is_file = name.endswith("_FILE") and name.startswith(OURS)
        if value and (name in PATHS or is_file):
            environ[name] = os.path.abspath(here / Path(value).expanduser())
    return here
