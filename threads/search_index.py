"""Keeps SQLite's index of words in step with the messages. PostgreSQL's triggers are part of migration 0009.

A message is indexed when it is settled, by whatever statement settles it; text being written is not indexed with each
checkpoint.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

# An index whose text is elsewhere has to be told what it forgets, before that changes.
FORGET = "INSERT INTO message_words (message_words, rowid, content) VALUES ('delete', old.id, old.content);"
LEARN = "INSERT INTO message_words (rowid, content) VALUES (new.id, new.content);"
TRIGGERS = {
    "message_words_added": ("AFTER INSERT", "new", LEARN),
    "message_words_changing": ("BEFORE UPDATE OF content, status", "old", FORGET),
    "message_words_changed": ("AFTER UPDATE OF content, status", "new", LEARN),
    "message_words_removed": ("AFTER DELETE", "old", FORGET),
}


def keep_triggers(*, using: str, **_: Any) -> None:
    """After migrations: makes the triggers that are not there. Django changes a table of SQLite by making it anew."""
    connection = connections[using]
    if connection.vendor != "sqlite" or "message_words" not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        for name, (moment, row, deed) in TRIGGERS.items():
            cursor.execute(
                f"CREATE TRIGGER IF NOT EXISTS {name} {moment} ON thread_messages"
                f" WHEN {row}.status NOT IN ('queued', 'streaming') BEGIN {deed} END"
            )
