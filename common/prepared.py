"""Queries whose SQL is made once. Django makes it anew each time, which takes four times as long as all the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, wraps
from inspect import signature
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Expression, Field, QuerySet

Row = TypeVar("Row")


class Hole(Expression):
    """Stands in a query where a value will."""

    def __init__(self, name: str) -> None:
        super().__init__(output_field=Field())
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", (self,)


def prepared(make: Callable[..., QuerySet[Any, Row]]) -> Callable[..., list[Row]]:
    """Makes of a function that gives a query one that gives its rows.

    Its arguments are values that the query compares with, numbers or texts; ``make`` sees Holes in their place, once,
    and can look at none of them. None is no value: in SQL nothing equals it.
    """

    @cache
    def made() -> tuple[QuerySet[Any, Row], Any, str, Any]:
        rows = make(*(Hole(name) for name in names))
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        return rows, compiler, *compiler.as_sql()

    names = tuple(signature(make).parameters)

    @wraps(make)
    def rows_for(*values: int | str) -> list[Row]:
        rows, compiler, sql, params = made()
        given = dict(zip(names, values, strict=True))
        filled = tuple(given[param.name] if isinstance(param, Hole) else param for param in params)
        compiler = copy.copy(compiler)
        compiler.connection = connections[DEFAULT_DB_ALIAS]
        compiler.as_sql = lambda *_, **__: (sql, filled)
        rows = rows.all()
        rows.query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        return list(rows)

    return rows_for
