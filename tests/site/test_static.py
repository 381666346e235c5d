"""Zerg's own files: compressed, kept for good, and never an old one beside a new one."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.test import Client

from accounts.models import User
from tests.conftest import ClientOf

SHEET = "css/zerg.css"


def source(name: str) -> bytes:
    with open(str(finders.find(name)), "rb") as file:
        return file.read()


UNPACK: dict[str, Callable[[bytes], bytes]] = {"br": brotli.decompress, "gzip": gzip.decompress}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br", "br"), ("gzip, br;q=0", "gzip"), ("gzip;q=1.0, br;q=0.5", "br"), ("GZIP;q=0, gzip", "gzip")],
)
def test_a_file_is_compressed_for_who_can_read_it(client: Client, accepted: str, encoding: str) -> None:
    plain = client.get(static(SHEET))
    small = client.get(static(SHEET), headers={"Accept-Encoding": accepted})
    assert plain.content == source(SHEET) == UNPACK[encoding](small.content)
    assert small["Content-Encoding"] == encoding
    assert small["Content-Type"] == "text/css; charset=utf-8"
    assert small["X-Content-Type-Options"] == "nosniff"
    assert "Accept-Encoding" in plain["Vary"]
    assert "Accept-Encoding" in small["Vary"]


@pytest.mark.parametrize("accepted", ["", "identity", "br;q=0, gzip;q=0.0", "deflate"])
def test_a_file_is_sent_as_it_is_to_who_wants_it_so(client: Client, accepted: str) -> None:
    answer = client.get(static(SHEET), headers={"Accept-Encoding": accepted})
    assert answer.content == source(SHEET)
    assert "Content-Encoding" not in answer.headers


def test_an_address_changes_with_the_content_and_is_kept_for_good(client: Client) -> None:
    address = static(SHEET)
    assert re.fullmatch(r"/static/[0-9a-f]{12}/css/zerg\.css", address)
    assert "immutable" in client.get(address)["Cache-Control"]


@pytest.mark.parametrize("prefix", ["", "0123456789ab/"])
def test_any_other_address_gets_the_file_as_it_is_now_and_asks_again(client: Client, prefix: str) -> None:
    answer = client.get(f"/static/{prefix}{SHEET}")
    assert answer.content == source(SHEET)
    assert "no-cache" in answer["Cache-Control"]
    again = client.get(f"/static/{prefix}{SHEET}", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_modules_find_each_other_at_the_same_address(client: Client) -> None:
    text = client.get(static("js/live.js")).content.decode()
    assert 'from "./core.js"' in text
    assert client.get(static("js/live.js").replace("live.js", "core.js")).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/static/", "/static/nothing.css", "/static/../manage.py", "/static/css/%2e%2e/%2e%2e/manage.py"]
)
def test_what_is_no_file_of_ours_is_not_there(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_pages_are_compressed_too(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    answer = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    assert b"</html>" in gzip.decompress(answer.content)
    assert "Content-Encoding" not in client.get("/").headers


def test_every_file_that_a_template_names_is_there(client: Client) -> None:
    named: set[str] = set()
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        named |= set(re.findall(r"{% static '([^']+)' %}", path.read_text()))
    assert len(named) > 5
    for name in named:
        assert client.get(static(name)).status_code == 200, name


SCRIPTS = sorted((settings.BASE_DIR / "static" / "js").glob("*.js"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_leave_without_their_comments_and_are_otherwise_the_same(client: Client, path: Path) -> None:
    """That may be done line by line: no text and no comment of ours goes on over several lines."""
    written = [line.strip() for line in path.read_text().splitlines()]
    assert all(line.count("`") % 2 == 0 for line in written)
    assert not any(line.startswith("/*") and not line.endswith("*/") for line in written)
    sent = client.get(static(f"js/{path.name}")).content.decode().splitlines()
    assert sent == [line for line in written if line and not line.startswith(("//", "/**"))]
