"""A schedule in words, word by word, and how it is refused."""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from typing import NoReturn

from triggers.expressions import refuse

LONGEST = 200
EXAMPLES = "Write for example “every weekday at 7”, “first monday at 9:00” or “in 20 minutes”, or use cron."
WORD = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[:.]\d{2}(?::00)?|\d+|[^\W\d_]+|\S")
PLACES = ((1, "first"), (2, "second"), (3, "third"), (4, "fourth"), (5, "fifth"))
DAY_NAME = r"(?:sun|mon|tue|wed|thu|fri|sat)[a-z]*\b"
ORDINAL = r"(?:[1-5]\s?(?:st|nd|rd|th)|first|second|third|fourth|fifth|last)"
ENDINGS = re.compile(r"(?<=\d) (?=(?:st|nd|rd|th|am|pm)\b)")
SAME = (
    (re.compile(r"o['’]?\s?clock"), " "),
    (re.compile(r"\b([ap])\.m\b\.?"), r"\1m"),
    (re.compile(r"(\d{4}-\d{1,2}-\d{1,2})t(\d)"), r"\1 \2"),
    (re.compile(r"\bin the morning\b"), "am"),
    (re.compile(r"\bin the (afternoon|evening)\b"), "pm"),
    (re.compile(r"[,;&+]|\bplus\b"), " and "),
    *(
        (re.compile(rf"\b{place}\s?(?:st|nd|rd|th)\s+(?=(?:and\s+{ORDINAL}\s+)*{DAY_NAME})"), f"{word} ")
        for place, word in PLACES
    ),
    (re.compile(r"(\d)\s*[–—-]\s*(?=\d{1,2}(?:[:.]\d\d)?\b(?!-))(?<!\d{4}-)(?<!\d{4}-\d\d-)"), r"\1 to "),
    (re.compile(r"(?<=[a-z])\s*[–—-]\s*(?=[a-z])"), " - "),
)  # fmt: skip
VOCABULARY = (
    "every", "each", "daily", "hourly", "weekday", "weekdays", "weekend", "weekends", "monday", "tuesday",
    "wednesday", "thursday", "friday", "saturday", "sunday", "mondays", "tuesdays", "wednesdays", "thursdays",
    "fridays", "saturdays", "sundays", "first", "second", "third", "fourth", "fifth", "last", "today", "tomorrow",
    "tonight", "next", "noon", "midnight", "minutes", "hours", "days", "weeks", "month", "months", "january",
    "february", "march", "april", "june", "july", "august", "september", "october", "november", "december",
    "between", "morning", "evening", "afternoon",
)  # fmt: skip


class Tokens:
    """The words of a text, and how far they have been read (``at``)."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        if not self.text:
            self.refuse("Say when.")
        if len(self.text) > LONGEST:
            self.refuse(f"Say it in {LONGEST} characters.")
        plain = self.text.lower()
        for pattern, instead in SAME:
            plain = pattern.sub(instead, plain)
        self.words = _without_repeated_and(WORD.findall(plain))
        self.at = 0

    @property
    def ended(self) -> bool:
        return self.at >= len(self.words)

    @property
    def rest(self) -> str:
        return ENDINGS.sub("", " ".join(self.words[self.at :]))

    def before(self, place: int) -> str:
        return ENDINGS.sub("", " ".join(self.words[:place]))

    def exact_time(self) -> str:
        """The text itself where it is a time in ISO 8601 with an hour; else empty."""
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}\S*(?: ?[Zz])?", self.text):
            return ""
        try:
            return datetime.fromisoformat(self.text.upper().replace(" Z", "Z")).replace(microsecond=0).isoformat()
        except ValueError:
            return ""

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.words[place] if place < len(self.words) else ""

    def take(self, *choices: str) -> str | None:
        """The next word, if it is one of ``choices``."""
        if self.peek() not in choices or self.ended:
            return None
        self.at += 1
        return self.words[self.at - 1]

    def take_number(self, most: int = 10_000) -> int | None:
        word = self.peek()
        if not word.isascii() or not word.isdigit() or len(word) > 5 or int(word) > most:
            return None
        self.at += 1
        return int(word)

    def skip(self, *words: str) -> None:
        while self.take(*words):
            pass

    def expect_end(self) -> None:
        if not self.ended:
            self.refuse_next("")

    def refuse_next(self, hint: str) -> NoReturn:
        """Refuses the next word, which nothing takes; at the end, what is missing: ``hint``."""
        said = f"I read “{self.before(self.at)}”" if self.at else ""
        if self.ended:
            self.refuse(f"{said}, and then nothing: {hint}." if said else f"There is nothing to read: {hint}.")
        word = self.peek()
        unknown = f"{said}, but not “{word[:40]}”" if said else f"I do not understand “{word[:40]}”"
        close = difflib.get_close_matches(word, VOCABULARY, n=1, cutoff=0.75)
        if close and close[0] != word:
            self.refuse(f"{unknown}. Did you mean “{close[0]}”?")
        self.refuse(f"{unknown}{f': {hint}' if hint else ''}.")

    def refuse_last(self) -> NoReturn:
        self.at -= 1
        self.refuse_next("")

    def refuse(self, sentence: str) -> NoReturn:
        refuse(f"{sentence} {EXAMPLES}", "words")


def _without_repeated_and(words: list[str]) -> list[str]:
    """One “and” for several, and none before a word that goes on by itself: “monday, at 9”."""
    kept: list[str] = []
    for word in words:
        if kept and kept[-1] == "and" and word in {"and", "at"}:
            if word == "at":
                kept[-1] = "at"
            continue
        kept.append(word)
    while kept and kept[-1] in {"and", "."}:
        kept.pop()
    return kept
