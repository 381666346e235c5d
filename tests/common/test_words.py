"""Values are said on pages in words that a person reads at a glance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.template import engines
from django.utils import timezone

from common.templatetags import zerg
from tests.common.html import look

NOW = datetime(2026, 3, 27, 6, 0, tzinfo=UTC)


def rendered(source: str, **context: object) -> str:
    return engines["django"].from_string("{% load zerg %}" + source).render(context)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2, "just now"), (-3, "just now"), (8, "8 s ago"), (240, "4 min ago"), (7200, "2 h ago"), (86_400, "24 h ago"),
        (3 * 86_400, "3 days ago"), (-50_400, "in 14 h"),
    ],
)  # fmt: skip
def test_a_moment_is_said_from_here_and_exactly_in_its_title(seconds: int, words: str) -> None:
    with time_machine.travel(NOW, tick=False), timezone.override("Europe/Berlin"):
        html = str(zerg.ago(NOW - timedelta(seconds=seconds)))
    assert look(html).text == words
    assert look(html).attributes[0] == ("time", "class", "ago")


def test_the_clock_shows_the_readers_own_zone() -> None:
    with timezone.override("Europe/Berlin"):
        seen = look(str(zerg.clock(NOW)))
    assert seen.text == "07:00"
    assert ("time", "datetime", "2026-03-27T07:00:00+01:00") in seen.attributes
    assert ("time", "title", "Fri 27 Mar 2026, 07:00:00 CET") in seen.attributes


def test_no_moment_is_no_words() -> None:
    assert [zerg.ago(None), zerg.clock(None), zerg.exact(None), zerg.day_words(None), zerg.duration(None)] == [""] * 5


def test_days_are_today_yesterday_or_a_date() -> None:
    with time_machine.travel(NOW, tick=False), timezone.override("UTC"):
        days = [zerg.day_words(NOW - timedelta(days=back)) for back in (0, 1, 2, 400)]
    assert days == ["Today", "Yesterday", "Wed 25 Mar", "Thu 20 Feb 2025"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.321, "0.32 s"), (4.06, "4.1 s"), (41.2, "41 s"), (185, "3 min 5 s"), (timedelta(minutes=130), "2 h 10 min")],
)  # fmt: skip
def test_durations(value: float, words: str) -> None:
    assert zerg.duration(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "no price"), ("", "no price"), ("x", "no price"), ("0", "free"),
        (Decimal("3.12345"), "$3.12"), ("0.00412", "$0.0041"), ("0.004", "$0.004"),
        ("0.00000123", "$0.0000012"), (1234.5, "$1,234.50"), ("0.2", "$0.20"),
    ],
)  # fmt: skip
def test_money(value: Decimal | str | None, words: str) -> None:
    assert zerg.money(value) == words


def test_tokens() -> None:
    assert [zerg.tokens(n) for n in (None, 0, 1204, 61_000, 999_499, 1_400_000)] == [
        "–",
        "0",
        "1,204",
        "61 k",
        "999 k",
        "1.4 M",
    ]


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [("succeeded", "done", "Done"), ("running", "working", "Working"), ("new_thing", "idle", "New thing")],
)  # fmt: skip
def test_a_pill_says_its_status_in_a_word(status: str, state: str, words: str) -> None:
    seen = look(rendered("{% pill status %}", status=status))
    assert ("span", "data-state", state) in seen.attributes
    assert seen.text == words


def test_a_pill_may_say_it_in_other_words_and_escapes_them() -> None:
    assert look(rendered("{% pill 'failed' words %}", words="<b>")).text == "<b>"


def test_the_pulse_draws_the_newest_thirty_and_says_them_aloud() -> None:
    seen = look(rendered("{% pulse outcomes %}", outcomes="f" * 10 + "s" * 28 + "fc"))
    assert seen.tags.count("rect") == 30
    assert ("svg", "aria-label", "Last 30 runs: 28 succeeded, 1 failed, 1 stopped") in seen.attributes
    assert not [name for _, name, _ in seen.attributes if name == "style"]


def test_an_empty_pulse_says_so() -> None:
    assert ("svg", "aria-label", "No runs yet") in look(rendered("{% pulse '' %}")).attributes


def test_text_filters_never_let_markup_through() -> None:
    assert "script" not in look(rendered("{{ t|markdown }}{{ t|plain }}", t="<script>alert(1)</script>")).tags
