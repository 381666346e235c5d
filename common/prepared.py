"""Queries whose SQL is made once, and planned once. Django makes it anew each time, which takes four times as long as
all the rest, and has PostgreSQL plan it anew, which takes as long as its execution."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime
from functools import cache, wraps
from inspect import signature
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql import UpdateQuery

Row = TypeVar("Row")


class _Preparing:
    """Django's connection, but that PostgreSQL is sent a statement's values apart from it, so that it can be kept."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> CursorWrapper:
        return prepared_cursor(self._connection)


def prepared_cursor(connection: BaseDatabaseWrapper) -> CursorWrapper:
    """A cursor for statements that are executed again and again; their values stand in no ambiguous place."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    from django.db.backends.postgresql.base import ServerBindingCursor

    connection.ensure_connection()
    raw: Any = connection.connection
    usual, raw.cursor_factory = raw.cursor_factory, ServerBindingCursor
    try:
        return connection.cursor()
    finally:
        raw.cursor_factory = usual


class Hole(Expression):
    """Stands in a query where a value will: the argument ``name``, or number ``index`` of those in it."""

    def __init__(self, name: str, index: int | None = None, column: Field[Any, Any] | None = None) -> None:
        super().__init__(output_field=Field())
        self.name = name
        self.index = index
        self.column = column

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", (self,)

    def value(self, given: dict[str, Any]) -> Any:
        value = given[self.name]
        if self.column is not None:
            return self.column.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS])
        if isinstance(value, datetime):
            return connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value(value)
        # As many as fit were foreseen: the last one stands for the rest.
        return value if self.index is None else value[min(self.index, len(value) - 1)]


def prepared(make: Callable[..., QuerySet[Any, Row]]) -> Callable[..., list[Row]]:
    """Makes of a function that gives a query one that gives its rows.

    Its arguments are values that the query compares with, numbers, texts or times, or tuples of them that are not
    empty, for ``__in`` (of what another table refers to: ``parent__id__in``). ``make`` sees Holes in their place, and
    can look at none of them. None is no value: in SQL nothing equals it.
    """

    @cache
    def made(*sizes: int) -> tuple[QuerySet[Any, Row], Any, str, Any]:
        holes = [
            [Hole(name, index) for index in range(size)] if size else Hole(name)
            for name, size in zip(names, sizes, strict=True)
        ]
        rows = make(*holes)
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        return rows, compiler, *compiler.as_sql()

    names = tuple(signature(make).parameters)

    @wraps(make)
    def rows_for(*values: int | str | datetime | tuple[int | str, ...]) -> list[Row]:
        rows, compiler, sql, params = made(*(_room(value) if isinstance(value, tuple) else 0 for value in values))
        given = dict(zip(names, values, strict=True))
        filled = tuple(param.value(given) if isinstance(param, Hole) else param for param in params)
        compiler = copy.copy(compiler)
        compiler.connection = _Preparing(connections[DEFAULT_DB_ALIAS])
        compiler.as_sql = lambda *_, **__: (sql, filled)
        rows = rows.all()
        rows.query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        return list(rows)

    return rows_for


def prepared_update(make: Callable[..., tuple[QuerySet[Any], dict[str, Any]]]) -> Callable[..., int]:
    """Makes of a function that gives rows of one table, and the values to set in them, one that does it.

    Its arguments are numbers and texts that the rows are found by, or values of columns: what the function gives for a
    column is such an argument as it is, or an expression without any. The result is the number of rows that were found.
    """

    @cache
    def made() -> tuple[str, Any]:
        rows, values = make(*map(Hole, names))
        columns = {name: rows.model._meta.get_field(name) for name in values}
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(
            {
                name: Hole(value.name, column=columns[name]) if isinstance(value, Hole) else value
                for name, value in values.items()
            }
        )
        sql, params = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
        return sql, params

    names = tuple(signature(make).parameters)

    @wraps(make)
    def update(*values: Any) -> int:
        sql, params = made()
        given = dict(zip(names, values, strict=True))
        with prepared_cursor(connections[DEFAULT_DB_ALIAS]) as cursor:
            cursor.execute(sql, [param.value(given) if isinstance(param, Hole) else param for param in params])
            return int(cursor.rowcount)

    return update


def _room(values: tuple[int | str, ...]) -> int:
    """A power of two that they fit into: a few queries are made, not one for each number of values."""
    return 1 << (len(values) - 1).bit_length()
