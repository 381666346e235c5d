"""How values are said on a page: times, money, tokens, states. Load with ``{% load zerg %}``."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, cast

from django import template
from django.template.loader import get_template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import serialize
from common.markdown import render_html, render_plain
from common.text import one_line
from common.toasts import UNDO

register = template.Library()

# What each status of an agent, run, step, message or occurrence looks like, and is called.
STATES = {
    "idle": ("idle", "Idle"),
    "processing": ("working", "Working"),
    "error": ("failed", "Failed"),
    "queued": ("queued", "Queued"),
    "running": ("working", "Working"),
    "started": ("working", "Working"),
    "working": ("working", "Working"),
    "streaming": ("working", "Writing"),
    "checking": ("working", "Looking"),
    "waiting": ("needs", "Needs you"),
    "needs_you": ("needs", "Needs you"),
    "succeeded": ("done", "Done"),
    "complete": ("done", "Done"),
    "nothing_new": ("done", "Done, nothing new"),
    "finished": ("done", "Finished"),
    "sending": ("working", "Sending"),
    "sent": ("done", "Sent"),
    "done": ("done", "Done"),
    "ran": ("done", "Ran"),
    "failed": ("failed", "Failed"),
    "interrupted": ("failed", "Interrupted"),
    "cancelled": ("stopped", "Stopped"),
    "stopped": ("stopped", "Stopped"),
    "pending": ("queued", "Due"),
    "skipped": ("missed", "Skipped"),
    "missed": ("missed", "Missed"),
    "accepted": ("done", "Accepted"),
    "repeated": ("missed", "Came before"),
    "refused": ("failed", "Refused"),
    "paused": ("off", "Paused"),
    "off": ("off", "Off"),
    "ok": ("done", "Works"),
}
OUTCOMES = {"s": ("done", "succeeded"), "f": ("failed", "failed"), "c": ("stopped", "stopped")}
SOURCES = {
    "schedule": "Schedule",
    "webhook": "Webhook",
    "api": "API",
    "agent": "Another agent",
    "system": "Zerg",
    "user": "You",
}
# What a person does about an error: (words, URL name), where there is more to do than to try again.
ERROR_ACTIONS = {
    "refused_key": ("Fix the key", "settings:fix_key"),
    "no_credit": ("Use another model", "settings:models"),
    "unknown_model": ("Choose a model", "settings:models"),
    "unreachable": ("Check the provider", "settings:models"),
    "no_model": ("Connect a model", "settings:models"),
}
MARKS = re.compile(r"^[\s#>*+|-]+|\*\*?|`|__|\s*\|\s*$")
MINUTE, HOUR, DAY = 60, 3600, 86_400


@register.filter
def markdown(text: str | None) -> SafeString:
    """Model text as HTML."""
    return render_html(text or "")


@register.filter
def plain(text: str | None) -> SafeString:
    """A person's text as HTML, nothing interpreted."""
    return render_plain(text or "")


@register.filter
def line(text: str | None) -> str:
    """The words of Markdown text in one line."""
    return one_line(text or "").strip()


@register.filter
def undo(tags: str | None) -> str:
    """The address that takes a message's deed back, from the message's tags; empty when there is none."""
    return (tags or "").removeprefix(UNDO) if (tags or "").startswith(UNDO) else ""


def in_words(seconds: float) -> str:
    """A distance in its one best unit: 8 s, 4 min, 14 h, 3 days."""
    if seconds < MINUTE:
        return f"{int(seconds)} s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min"
    if seconds < 2 * DAY:
        return f"{int(seconds // HOUR)} h"
    return f"{int(seconds // DAY)} days"


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """ "4 min ago", "in 14 h"; the exact local time is in the title, and core.js keeps the words true."""
    if moment is None:
        return ""
    distance = (timezone.now() - moment).total_seconds()
    words = (
        "just now"
        if abs(distance) < 5
        else f"{in_words(distance)} ago"
        if distance > 0
        else f"in {in_words(-distance)}"
    )
    local = _local(moment)
    return format_html('<time class="ago" datetime="{}" title="{}">{}</time>', _iso(local), _exact(local), words)


@register.filter
def clock(moment: datetime | None) -> SafeString | str:
    """The local time of day, 07:00, with the exact time in the title. It never changes, so that pages stay equal."""
    if moment is None:
        return ""
    local = _local(moment)
    return format_html('<time datetime="{}" title="{}">{}</time>', _iso(local), _exact(local), f"{local:%H:%M}")


@register.filter
def exact(moment: datetime | None) -> SafeString | str:
    """The full local time with its zone: Fri 27 Mar 2026, 07:00:02 CET."""
    if moment is None:
        return ""
    local = _local(moment)
    return format_html('<time datetime="{}">{}</time>', _iso(local), _exact(local))


@register.filter
def day_words(day: date | datetime | None) -> str:
    """ "Today", "Yesterday", else Fri 27 Mar, with the year when it is another one."""
    if day is None:
        return ""
    day = _local(day).date() if isinstance(day, datetime) else day
    today = timezone.localdate()
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%a} {day.day} {day:%b}" + (f" {day.year}" if day.year != today.year else "")


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def _iso(local: datetime) -> str:
    return local.isoformat(timespec="seconds")


def _exact(local: datetime) -> str:
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M:%S %Z}".strip()


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Seconds or a timedelta: 0.32 s, 4.1 s, 41 s, 3 min 5 s, 2 h 10 min."""
    if value is None:
        return ""
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 1:
        return f"{max(seconds, 0):.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min {int(seconds % MINUTE)} s"
    return f"{int(seconds // HOUR)} h {int(seconds % HOUR // MINUTE)} min"


@register.filter
def money(value: Decimal | float | str | None) -> str:
    """US dollars with as many digits as say something: $3.12, $0.004. Null is "no price", zero is "free"."""
    if value is None or value == "":
        return "no price"
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return "no price"
    if not amount:
        return "free"
    if abs(amount) >= Decimal("0.1"):
        return f"${amount:,.2f}"
    digits = 1 - amount.adjusted()
    return f"${amount:.{digits}f}".rstrip("0")


@register.filter
def cost(value: Decimal | None) -> SafeString | str:
    """``money`` with the exact amount for programs and in the title: what is added up is not what is rounded."""
    if value is None:
        return money(None)
    exactly = serialize.money(value)
    return format_html('<data value="{}" title="${}">{}</data>', exactly, exactly, money(value))


@register.filter
def tokens(value: int | None) -> str:
    """A count of tokens: 1,204, 61 k, 1.4 M. Null is a dash."""
    if value is None:
        return "–"
    if value < 20_000:
        return f"{value:,}"
    if value < 999_500:
        return f"{value / 1000:.0f} k"
    return f"{value / 1_000_000:.1f} M"


@register.filter
def first_line(text: str) -> str:
    """The first line of an answer that says something, without the marks of its markdown."""
    lines = (MARKS.sub("", line).strip() for line in text.splitlines() if not line.startswith("```"))
    return next((line for line in lines if any(letter.isalnum() for letter in line)), "")


@register.filter
def initial(name: str | None) -> str:
    """The letter of an agent's mark."""
    return (name or "").strip()[:1].upper() or "?"


@register.filter
def author(message: Any) -> str:
    """Who wrote a message that the agent did not write: You, Schedule, API …"""
    if message.role == "system":
        return "Zerg"
    return SOURCES.get(message.source, "You")


@register.filter
def cause(sentences: str | None) -> str:
    """The first sentence of an error: what happened."""
    return _parted(sentences)[0]


@register.filter
def advice(sentences: str | None) -> str:
    """The other sentences of an error: what to do about it."""
    return _parted(sentences)[1]


def _parted(sentences: str | None) -> tuple[str, str]:
    first, stop, rest = (sentences or "").partition(". ")
    return (first + ".", rest) if stop else (first, "")


@register.filter
def error_action(code: str | None) -> dict[str, str] | None:
    """``{"words", "url"}`` of what a person does about an error code, or None when trying again is all there is."""
    found = ERROR_ACTIONS.get(code or "")
    return {"words": found[0], "url": found[1]} if found else None


@register.simple_tag
@lru_cache(maxsize=1000)
def pill(status: str, words: str = "", id: str = "") -> SafeString:
    """A status as a coloured word with a shape: ``{% pill run.status %}``, ``{% pill "failed" "Refused" %}``."""
    state, usual = STATES.get(str(status), ("idle", str(status).replace("_", " ").capitalize()))
    return cast(SafeString, get_template("ui/_pill.html").render({"state": state, "words": words or usual, "id": id}))


@register.simple_tag
@lru_cache(maxsize=5000)
def pulse(outcomes: str, working: bool = False, length: int = 30) -> SafeString:
    """The last runs as a strip, newest last: ``{% pulse agent.pulse %}``. ``outcomes`` is a text of s, f and c."""
    known = [letter for letter in outcomes[-length:] if letter in OUTCOMES]
    bars = [{"x": index * 6, "state": OUTCOMES[letter][0]} for index, letter in enumerate(known)]
    if working:
        bars.append({"x": len(bars) * 6, "state": "working"})
    counts = [(known.count(letter), words) for letter, (_, words) in OUTCOMES.items() if letter in known]
    label = f"Last {len(known)} runs: " + ", ".join(f"{n} {words}" for n, words in counts) if known else "No runs yet"
    rate = f"{100 * known.count('s') // len(known)} %" if known else ""
    context = {"bars": bars, "label": label, "rate": rate, "width": (len(bars) or length) * 6 - 2, "total": len(known)}
    return cast(SafeString, get_template("ui/_pulse.html").render(context))
