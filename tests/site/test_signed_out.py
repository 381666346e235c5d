from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

OPEN = {"favicon.ico", "healthz", "readyz", "sign-in/", "sign-out/", "sign-in/once/<str:token>/"}
PROGRAMS = ("api/", "hooks/", "v1/", "^(?:api")


def routes(patterns: Any, prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern)


def pages() -> list[str]:
    """The route of every page for people (the admin guards its own)."""
    found = set(routes(get_resolver().url_patterns))
    return sorted(route for route in found - OPEN if not route.startswith((*PROGRAMS, "admin/")))


def path_of(route: str) -> str:
    return "/" + re.sub(r"<\w+:\w+>", "x", re.sub(r"<int:\w+>", "1", route))


@pytest.mark.django_db
@pytest.mark.parametrize("route", pages())
def test_no_page_opens_without_signing_in(route: str, client: Client) -> None:
    path = path_of(route)
    for send in (client.get, client.post):
        answer = send(path)
        if answer.status_code == 405:
            continue
        assert answer.status_code == 302, path
        assert answer["Location"].startswith("/sign-in/?next="), path
        quiet = send(path, headers={"HX-Request": "true"})
        assert quiet.status_code == 401
        assert quiet["HX-Trigger"] == "zerg:signedout"


@pytest.mark.django_db
def test_pages_are_neither_cached_nor_confused_with_their_parts(client: Client) -> None:
    answer = client.get("/sign-in/")
    assert "no-store" in answer["Cache-Control"]
    assert "HX-Request" in answer["Vary"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.django_db
def test_nothing_is_inline_on_any_page_a_person_opens(client_of: Any, owner: Any, agent: Any) -> None:
    client = client_of(owner)
    paths = [path_of(route) for route in pages() if "<" not in route and "check" not in route]
    for path in [*paths, f"/agents/{agent.pk}/", f"/agents/{agent.pk}/edit/", "/sign-in/", "/nowhere/"]:
        page = client.get(path).content.decode()
        assert "<style" not in page, path
        assert " style=" not in page, path
        assert " onclick=" not in page, path
        assert "<script>" not in page, path
