"""What pages say of parts that are down. Load with ``{% load alive %}``."""

from __future__ import annotations

from django import template

from common import alive

register = template.Library()


@register.simple_tag
def silent_parts() -> tuple[str, ...]:
    """The parts of which nothing was heard for a minute: ``worker``, ``beat``."""
    return alive.silent()
