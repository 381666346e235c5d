"""``{% url %}`` that knows an address's shape: Django goes through all patterns for each, a quarter of a thread's page.

Loaded into every template by the settings; Django's own tag in all but speed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.template.base import Parser, Token
from django.template.context import Context
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as django_url
from django.urls import get_script_prefix, get_urlconf, reverse
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString

register = template.Library()
PLACES = 10**17
"""Numbers from here on stand for a number in a shape: nothing in an address looks like them."""


class QuickURLNode(URLNode):
    """Addresses that depend on a name and on numbers alone, as nearly all on Zerg's pages do."""

    def render(self, context: Context) -> SafeString:
        if self.asvar or self.kwargs:
            return SafeString(super().render(context))
        numbers = [value.resolve(context) for value in self.args]
        if not all(type(number) is int and number >= 0 for number in numbers):
            return SafeString(super().render(context))
        shape = _shape(get_script_prefix(), get_urlconf(), self.view_name.resolve(context), len(numbers))
        address = shape.format(*numbers)
        return SafeString(conditional_escape(address) if context.autoescape else address)


@lru_cache(maxsize=1000)
def _shape(prefix: str, urlconf: Any, name: str, count: int) -> str:
    """The address with {0}, {1} … where its numbers are; a brace in an address is always quoted."""
    places = [PLACES + index for index in range(count)]
    address = reverse(name, urlconf, args=places)
    for index, place in enumerate(places):
        address = address.replace(str(place), f"{{{index}}}")
    return address


@register.tag
def url(parser: Parser, token: Token) -> QuickURLNode:
    """As Django's tag of this name."""
    node = django_url(parser, token)
    return QuickURLNode(node.view_name, node.args, node.kwargs, node.asvar)
