"""``{% url %}`` gives what Django's own tag gives, for all that pages ask it for."""

from __future__ import annotations

import pytest
from django.template import Context, Engine, Template
from django.urls import NoReverseMatch, set_script_prefix

WAYS = [
    "{% url 'home' %}",
    "{% url 'threads:detail' 7 %}",
    "{% url 'threads:detail' number %}",
    "{% url 'threads:detail' thread_id=number %}",
    "{% url 'threads:detail' text %}",
    "{% url name number %}",
    "{% url 'threads:detail' number as address %}<{{ address }}>",
    "{% url 'no such name' as address %}<{{ address }}>",
    "{% autoescape off %}{% url 'threads:detail' number %}{% endautoescape %}",
    "{% url 'admin:agents_agent_change' number %}",
    "{% url 'agents:version' number 10 %}",
]


def said(source: str, number: int = 12345, engine: Engine | None = None) -> str:
    context = Context({"number": number, "text": str(number), "name": "threads:detail"})
    return Template(source, engine=engine).render(context)


@pytest.mark.parametrize("source", WAYS)
@pytest.mark.parametrize("number", [0, 1, 12345, 2**63 - 1])
def test_it_says_what_djangos_says(source: str, number: int) -> None:
    assert said(source, number) == said(source, number, Engine())  # which knows Django's own tags alone


@pytest.mark.parametrize("source", ["{% url 'no such name' %}", "{% url 'threads:detail' %}", "{% url 'home' 1 %}"])
def test_what_is_nowhere_is_an_error_each_time(source: str) -> None:
    for _ in range(2):
        with pytest.raises(NoReverseMatch):
            said(source)


def test_a_number_that_no_address_has_is_an_error() -> None:
    assert said("{% url 'threads:detail' number %}") == "/threads/12345/"
    with pytest.raises(NoReverseMatch):
        said("{% url 'threads:detail' number %}", -1)


def test_below_another_prefix_addresses_begin_with_it() -> None:
    assert said("{% url 'threads:detail' number %}") == "/threads/12345/"
    set_script_prefix("/zerg/")
    try:
        assert said("{% url 'threads:detail' number %}") == "/zerg/threads/12345/"
    finally:
        set_script_prefix("/")
