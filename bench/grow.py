"""Multiplies what is in a database, by statements of its own: ``python -m bench.grow 10`` makes ten of each row.

``./zerg manage seed`` makes each row in Python; for millions of them that takes longer than what is to be measured.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Field, Model


def main(times: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "zerg_site.settings"
    import django

    django.setup()
    from django.core.management.color import no_style
    from django.db import connection

    models = _models()
    with connection.cursor() as cursor:
        is_postgres = connection.vendor == "postgresql"
        # The copies refer to copies in tables that come later.
        cursor.execute("SET session_replication_role = replica" if is_postgres else "PRAGMA foreign_keys = OFF")
        cursor.execute("SET statement_timeout = 0" if is_postgres else "PRAGMA cache_size = -200000")
        spans = {model: _highest_id(cursor, model) for model in models}
        for copy in range(1, times):
            for model in models:
                cursor.execute(_copying(model, spans, copy))
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
        cursor.execute("ANALYZE")


def _models() -> list[type[Model]]:
    from agents.models import Agent, AgentVersion
    from runs.models import Run, Step
    from threads.models import Thread, ThreadMessage
    from triggers.models import Schedule

    return [Agent, AgentVersion, Thread, ThreadMessage, Run, Step, Schedule]


def _highest_id(cursor: Any, model: type[Model]) -> int:
    cursor.execute(f"SELECT coalesce(max(id), 0) FROM {model._meta.db_table}")
    return int(cursor.fetchone()[0])


def _copying(model: type[Model], spans: dict[type[Model], int], copy: int) -> str:
    """The statement that adds a table's rows once more, with the ids of the ``copy``-th copies."""
    from runs.models import Run

    def expression(field: Field[Any, Any]) -> str:
        target: Any = model if field.primary_key else Run if field.name == "run_id" else field.related_model
        shift = copy * spans.get(target, 0)
        return f'"{field.column}" + {shift}' if shift else f'"{field.column}"'

    fields = model._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    table, values = model._meta.db_table, ", ".join(map(expression, fields))
    return f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE id <= {spans[model]}"


if __name__ == "__main__":
    main(int(sys.argv[1]))
