"""Finds messages by their words, over everything that a person has said and been told.

The words are in an index of the database's own (migration 0009). What a person types never becomes a part of a query's
syntax: it is taken apart into words here, and each is quoted. The last one may be the beginning of a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Case, F, OuterRef, QuerySet, Subquery, When
from django.db.models.expressions import RawSQL

from accounts.models import User
from common.text import one_line
from threads.models import Thread, ThreadMessage

MOST = 1000
"""So many hits, the newest, are put in order: more are no help, and putting a million in order takes seconds."""
LONGEST_QUERY = 200
"""Characters."""
MOST_WORDS = 12
MOST_SPOTS = 100
"""So many places in a message are compared for which is the best to show."""
BEFORE, AROUND = 60, 240
"""Characters that are shown before the first hit, and in all."""

Words = list[list[str]]
"""What is looked for: words, each of one or more parts that follow each other ("foo-bar" has two)."""


@dataclass(frozen=True)
class Part:
    """A stretch of a hit's text, plain: whoever shows it escapes it."""

    text: str
    is_hit: bool


@dataclass(frozen=True)
class Hit:
    """A message, where it is shown, and its words in their surroundings.

    ``article_id`` is the message whose article shows it: its own, or for a tool's result the one that asked for it.
    """

    message: ThreadMessage
    article_id: int
    parts: list[Part]


@dataclass(frozen=True)
class Found:
    """Some hits, the best first, out of ``total`` (at most MOST)."""

    hits: list[Hit]
    total: int


def search(
    user: User,
    query: str,
    *,
    agent_id: int | None = None,
    thread_id: int | None = None,
    start: int = 0,
    count: int = 20,
) -> Found:
    """``count`` of the messages of ``user`` that hold all words of ``query``, after the best ``start``."""
    words = words_of(query)
    if not words:
        return Found([], 0)
    threads = Thread.listed(user) if thread_id is None else Thread.objects.for_user(user).filter(pk=thread_id)
    if agent_id is not None:
        threads = threads.filter(agent=agent_id)
    ids = _ranked(user, threads, words)
    shown = ids[start : start + count]
    messages = _with_places(shown).in_bulk(shown) if shown else {}
    return Found([_hit(messages[pk], words) for pk in shown if pk in messages], len(ids))


def words_of(query: str) -> Words:
    """The words of what a person typed, in small letters and without accents."""
    return [parts for word in _plain(query[:LONGEST_QUERY]).split() if (parts := _parts(word))][:MOST_WORDS]


def _plain(text: str) -> str:
    bare = "".join(letter for letter in unicodedata.normalize("NFD", text) if not "\u0300" <= letter <= "\u036f")
    return unicodedata.normalize("NFC", bare).lower()


def _parts(word: str) -> list[str]:
    """A word without its punctuation: letters, marks and digits are what both databases call a word."""
    return "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in word).split()


# The two databases. Each gives ids, the best first, of the newest that fit.


def _ranked(user: User, threads: QuerySet[Thread], words: Words) -> list[int]:
    find = _on_sqlite if connection.vendor == "sqlite" else _on_postgres
    with connection.cursor() as cursor:
        cursor.execute(*find(user, threads, words))
        return [row[0] for row in cursor.fetchall()]


def _on_sqlite(_: User, threads: QuerySet[Thread], words: Words) -> tuple[str, list[Any]]:
    quoted = [f'"{" ".join(parts)}"' for parts in words]
    allowed, values = _condition(threads, "message.thread_id")
    statement = f"""
        SELECT id FROM (
            SELECT message.id, bm25(message_words) AS badness
            FROM message_words CROSS JOIN thread_messages message ON message.id = message_words.rowid
            WHERE message_words MATCH %s AND message.seq IS NOT NULL AND {allowed}
            ORDER BY message_words.rowid DESC LIMIT {MOST}
        ) ORDER BY badness, id DESC"""  # noqa: S608 - made of the ORM's own SQL
    return statement, [f"{' '.join(quoted)}*", *values]


def _on_postgres(user: User, threads: QuerySet[Thread], words: Words) -> tuple[str, list[Any]]:
    quoted = [" <-> ".join(f"'{part}'" for part in parts) for parts in words]
    wanted = f"({') & ('.join(quoted)}:*)"
    allowed, values = _condition(threads, "fits.thread_id")
    statement = f"""
        WITH fits AS MATERIALIZED (
            SELECT id, thread_id FROM thread_messages
            WHERE words @@ (%s::tsquery && to_tsquery('simple', %s)) AND seq IS NOT NULL
        ), newest AS MATERIALIZED (
            SELECT id FROM fits WHERE {allowed} ORDER BY id DESC LIMIT {MOST}
        )
        SELECT id FROM newest JOIN thread_messages message USING (id)
        ORDER BY ts_rank(message.words, to_tsquery('simple', %s), 1) DESC, id DESC"""  # noqa: S608 - as above
    return statement, [f"'owner {user.pk}'", wanted, *values, wanted]


def _condition(threads: QuerySet[Thread], column: str) -> tuple[str, tuple[Any, ...]]:
    """SQL that is true where ``column`` is the id of one of ``threads``, and its parameters."""
    rows = threads.filter(pk=RawSQL(column, ())).order_by().values("pk")  # noqa: S611 - a name from this file
    statement, values = rows.query.sql_with_params()
    return f"EXISTS ({statement})", values


def _with_places(ids: Iterable[int]) -> QuerySet[ThreadMessage]:
    """Messages with what a hit says of them; ``asked_by`` is the answer that asked for a tool's result."""
    answers = ThreadMessage.objects.filter(
        thread=OuterRef("thread"), seq__lt=OuterRef("seq"), role=ThreadMessage.Role.ASSISTANT
    )
    asking = Subquery(answers.exclude(tool_calls=[]).order_by("-seq").values("pk")[:1])
    return (
        ThreadMessage.objects.filter(pk__in=ids)
        .select_related("thread__agent")
        .annotate(asked_by=Case(When(role=ThreadMessage.Role.TOOL, then=asking), default=F("pk")))
        .only("role", "source", "name", "content", "timestamp", "seq", "thread__title", "thread__agent__name")
    )


# The surroundings of a hit.


def _hit(message: ThreadMessage, words: Words) -> Hit:
    article: int | None = message.asked_by  # type: ignore[attr-defined]  # annotated by _with_places
    return Hit(message, article or message.pk, surroundings(message.content, words))


def surroundings(text: str, words: Words) -> list[Part]:
    """The stretch of ``text`` in which most of ``words`` stand together, taken apart into hits and what is between."""
    folded = text.translate(_FOLDED)
    spots = [match.span() for match in islice(_pattern(words).finditer(folded), MOST_SPOTS)]
    begin = _begin(text, spots, folded)
    end = min(len(text), begin + AROUND)
    parts, at = [Part("… ", False)] if begin else [], begin
    for start, stop in spots:
        if at <= start and stop <= end:
            parts += [Part(one_line(text[at:start]), False), Part(text[start:stop], True)]
            at = stop
    parts += [Part(one_line(text[at:end]) + (" …" if end < len(text) else ""), False)]
    return [part for part in parts if part.text]


def _begin(text: str, spots: list[tuple[int, int]], folded: str) -> int:
    """Where the stretch begins: at a word, some way before the place from which most different hits are in view."""

    def different(start: int) -> int:
        return len({folded[a:b] for a, b in spots if start <= a and b <= start + AROUND - BEFORE})

    best = max((start for start, _ in spots), key=different, default=0)
    if best <= BEFORE:
        return 0
    space = text.find(" ", best - BEFORE, best)
    return space + 1 if space >= 0 else best - BEFORE


def _pattern(words: Words) -> re.Pattern[str]:
    """Finds the words in folded text; of the last one, its beginning with all that follows."""
    whole = [r"[\W_]+".join(map(re.escape, parts)) for parts in words]
    endings = [r"(?![^\W_])"] * (len(words) - 1) + [r"[^\W_]*"]
    either = "|".join(word + ending for word, ending in zip(whole, endings, strict=True))
    return re.compile(rf"(?<![^\W_])(?:{either})")


class _Folding(dict[int, int]):
    """Letters without their accents, one for one, so that a place in the folded text is the same place in the text."""

    def __missing__(self, code: int) -> int:
        bare = [letter for letter in unicodedata.normalize("NFD", chr(code)) if not unicodedata.combining(letter)]
        self[code] = code if len(bare) != 1 or len(bare[0].lower()) != 1 else ord(bare[0].lower())
        return self[code]


_FOLDED = _Folding()
