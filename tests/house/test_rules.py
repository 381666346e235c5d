"""The house rules of CONTRIBUTING.md that a machine can see."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("zerg_site", "api", "triggers", "runs", "threads", "agents", "accounts", "engine", "common")


def tracked(*patterns: str) -> list[Path]:
    """The files that git knows, or would know: what a clone has."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).is_file()]


def product_code() -> list[Path]:
    return [
        path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] in APPS and "migrations" not in path.parts
    ]


def found(paths: list[Path], pattern: str) -> list[str]:
    """Where a pattern stands, as ``file:line``."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_templates_hold_nothing_inline_and_name_no_other_host() -> None:
    templates = tracked("templates/*.html")
    assert len(templates) > 40
    assert found(templates, r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on|javascript:") == []
    assert found(templates, r"""(src|href|action)=["'](https?:)?//""") == []


def test_a_comment_in_a_template_ends_on_its_line() -> None:
    # Django's {# #} does not span lines: the rest of such a comment would stand on the page.
    assert found(tracked("templates/*.html"), r"\{#(?!.*#\})") == []


def test_only_the_renderer_marks_text_as_safe() -> None:
    marking = found(product_code(), r"\bmark_safe\(|\bSafeString\(.*\w\)|autoescape")
    allowed = ("common/markdown/", "common/templatetags/", "threads/pages.py")
    assert [line for line in marking if not line.startswith(allowed)] == []
    assert found(tracked("templates/*.html"), r"\|safe\b|autoescape off") == []


def test_the_network_is_reached_through_the_guarded_clients_only() -> None:
    clients = r"^\s*(import|from) (aiohttp|requests|httpx2?|urllib3|urllib\.request|http\.client|websockets)\b"
    # The model's client is made on the connectors of egress; the launcher asks only what it started.
    may = ("common/egress.py", "common/fetch.py", "common/posting.py", "zerg_site/launch/", "engine/")
    assert [place for place in found(product_code(), clients) if not place.startswith(may)] == []


def test_nothing_stands_for_missing_work() -> None:
    unfinished = r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|NotImple" + r"mented|coming" + r" soon"
    assert found(tracked("*.py", "*.html", "*.js", "*.css", "*.md", "zerg"), unfinished) == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    loose = r"pytest\.(skip|xfail|importorskip)|mark\.(skip|skipif|xfail)|unittest\.mock"
    here = Path(__file__)
    places = found([path for path in tracked("tests/*.py") if path != here], loose)
    # What only one operating system promises is tested on that one.
    assert [place for place in places if "sys.platform" not in place] == []


def test_every_requirement_is_pinned_and_hashed() -> None:
    for path in tracked("requirements*.txt"):
        text = path.read_text()
        names = re.findall(r"^[a-z0-9][\w.\[\]-]*==\S+", text, re.MULTILINE)
        assert names, path
        assert re.findall(r"^(?!\s|#|$)(?!\S+==)\S+.*", text, re.MULTILINE) == [], path
        for block in re.split(r"\n(?=[a-z0-9])", text):
            if "==" in block.split("\n")[0]:
                assert "--hash=sha256:" in block, (path.name, block.split("\n")[0])


def test_nothing_names_a_path_of_the_machine_it_was_written_on() -> None:
    everything = tracked("*.py", "*.md", "*.html", "*.toml", "*.js", "*.css", "*.in", "*.txt", ".ci/*", "zerg")
    own = Path(__file__)
    assert found([path for path in everything if path != own], r"/(work|root)/") == []


def test_the_ci_runs_the_tests_and_nothing_cleverer() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) <= 3
    assert "./zerg test" in lines[-1]
