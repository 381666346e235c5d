"""The pages keep the promises that the strict policy, the live frames and the budgets of size rest on."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import engines
from django.template.loader import render_to_string

from tests.common.html import look
from zerg_site.static import Packed

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LIVE = ["_message", "_status", "_state", "_title", "_queue", "_queue_item", "_loader", "_foot", "_tool", "_error"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_no_template_has_inline_script_or_style(path: Path) -> None:
    source = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|hx-on|hx-vals=.js:", source)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", source))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_every_template_can_be_read(path: Path) -> None:
    engines["django"].get_template(str(path.relative_to(ROOT / "templates")))
    # A comment that spans lines would be shown to people.
    for comment in re.findall(r"\{#.*?(?:#\}|$)", path.read_text(), flags=re.MULTILINE):
        assert comment.endswith("#}")


@pytest.mark.parametrize("name", LIVE)
def test_a_partial_of_the_thread_has_nothing_around_its_element(name: str) -> None:
    """Space around it would make a page that was put together from frames differ from one that was loaded."""
    source = (ROOT / "templates/threads" / f"{name}.html").read_text()
    assert not source.endswith("\n")
    assert "#}\n" not in source


@pytest.mark.parametrize("name", ["500", "404", "403", "403_csrf", "400"])
def test_error_pages_need_no_request_and_no_database(name: str) -> None:
    seen = look(render_to_string(f"{name}.html"))
    assert "h1" in seen.tags
    assert ("html", "data-theme", "system") in seen.attributes


def compressed(*paths: str) -> int:
    """Bytes as they are sent to a browser that knows only gzip."""
    return sum(map(_compressed, paths))


@cache
def _compressed(path: str) -> int:
    return len(Packed.of(Path(str(finders.find(path)))).small["gzip"])


def test_scripts_and_styles_stay_within_their_budgets() -> None:
    assert compressed("css/zerg.css") <= 12 * 1024
    assert compressed("js/core.js") <= 4 * 1024
    assert compressed("js/live.js") <= 3 * 1024
    everywhere = {name for path in TEMPLATES if path.name in FRAMES for name in scripts_of(path)}
    for path in TEMPLATES:
        assert compressed(*everywhere | scripts_of(path)) <= 32 * 1024, path


FRAMES = ("base.html", "base_app.html")


def scripts_of(template: Path) -> set[str]:
    """The scripts that a template asks for, with those that they import."""
    found, new = set(), set(re.findall(r"<script src=\"{% static '([^']+)' %}", template.read_text()))
    while new:
        found |= new
        imported = [
            re.findall(r'^import .*"\./(.+)";', Path(str(finders.find(path))).read_text(), re.M) for path in new
        ]
        new = {f"js/{name}" for names in imported for name in names} - found
    return found
