"""Times of the day in words: "at 7", "7:30 pm", "9 and 17", "noon"; and spans: "between 9 and 17"."""

from __future__ import annotations

import re

from triggers.word_days import MONTHS
from triggers.word_tokens import Tokens

NAMED = {"noon": (12, 0), "midday": (12, 0), "midnight": (0, 0)}
CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?::00)?")
HALVES = ("am", "pm")
NOT_A_TIME = {"st", "nd", "rd", "th"}


def take_times(tokens: Tokens, half: str = "") -> list[tuple[int, int]]:
    """The times that come next, each an hour and a minute; perhaps none. ``half``: am or pm, unless it is said."""
    found: list[tuple[int, int, str]] = []
    start = tokens.at
    tokens.skip("and", "at")
    while (time := _take_time(tokens)) is not None:
        found.append(time)
        here = tokens.at
        if not tokens.take("and", "at", "or"):
            break
        tokens.skip("at", "and")
        if not _is_time(tokens):
            tokens.at = here
            break
    if not found:
        tokens.at = start
    return [_by_24(tokens, hour, minute, said or half or _half_of_last(found, hour)) for hour, minute, said in found]


def take_span(tokens: Tokens) -> tuple[int, int] | None:
    """Whole hours from and to: “between 9 and 17”, “from 8 am to 6 pm”."""
    here = tokens.at
    tokens.skip("and")
    if not tokens.take("between", "from"):
        tokens.at = here
        return None
    ends = []
    for joint in (("and", "to", "until", "till", "through", "-"), ()):
        time = _take_time(tokens)
        if time is None:
            tokens.refuse_next("say from when to when, such as “between 9 and 17”")
        hour, minute = _by_24(tokens, *time)
        if minute:
            tokens.refuse("Say whole hours, such as “between 9 and 17”.")
        ends.append(hour)
        if joint and not tokens.take(*joint):
            tokens.refuse_next("say from when to when, such as “between 9 and 17”")
    first, last = ends[0], ends[1] or 24
    if first >= last:
        tokens.refuse("The first hour must come before the last.")
    return first, last


def _half_of_last(found: list[tuple[int, int, str]], hour: int) -> str:
    """Of “7 and 9 pm” both are in the evening, of “11 and 3 pm” the second."""
    last, _, half = found[-1]
    return half if half in HALVES and hour % 12 < last % 12 else ""


def _is_time(tokens: Tokens) -> bool:
    """Whether a time comes next; the 15 of “and 15 december” is none."""
    here = tokens.at
    found = _take_time(tokens) is not None
    tokens.at = here
    return found


def _take_time(tokens: Tokens) -> tuple[int, int, str] | None:
    """Hour, minute, and am or pm or nothing."""
    word = tokens.peek()
    if word in NAMED:
        tokens.at += 1
        return (*NAMED[word], "24")
    if match := CLOCK.fullmatch(word):
        hour, minute = int(match[1]), int(match[2])
    elif word.isascii() and word.isdigit() and len(word) <= 2 and not _is_date(tokens.peek(1)):
        hour, minute = int(word), 0
    else:
        return None
    if hour > 23 or minute > 59:
        tokens.refuse(f"“{word}” is no time of the day: they go from 0:00 to 23:59.")
    tokens.at += 1
    return hour, minute, tokens.take(*HALVES) or ""


def _is_date(following: str) -> bool:
    """Whether the word after a number makes it a day of the month."""
    return following in NOT_A_TIME or following in MONTHS


def _by_24(tokens: Tokens, hour: int, minute: int, half: str) -> tuple[int, int]:
    if half not in HALVES or hour > 12:
        return hour, minute
    if hour == 0:
        tokens.refuse("Hours with am and pm go from 1 to 12.")
    return hour % 12 + (12 if half == "pm" else 0), minute
