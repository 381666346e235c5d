"""Workers and the clock load nothing that only pages and the API need: it is a fifth of what they would take."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.flows.parts import ROOT

LOADED = """
import sys
from zerg_site.celery import app
app.loader.import_default_modules()
import runs.tasks, triggers.tasks
print(*[name for name in ("ninja", "api.api", "zerg_site.urls", "agents.admin", "daphne") if name in sys.modules])
"""


@pytest.mark.parametrize("setup", ["", "from zerg_site.urls import urlpatterns\n"], ids=["as it is", "with pages"])
def test_what_celery_loads_has_no_pages(setup: str) -> None:
    code = f"import django, zerg_site.celery\ndjango.setup()\n{setup}{LOADED}" if setup else LOADED
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    expected = ["ninja", "api.api", "zerg_site.urls", "agents.admin"] if setup else []
    assert done.stdout.split() == expected  # with pages: so that the names are those of things there are
