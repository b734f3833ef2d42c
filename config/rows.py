"""Rows of models past Django's query compiler, where many are stored at once or every microsecond counts.

What is stored travels as one JSON array, which PostgreSQL takes apart: a parameter for each value costs more.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

import orjson
from django.db import connection
from django.db.models import Field, JSONField, Model

from config.sql import run_prepared

M = TypeVar("M", bound=Model)
Values = Mapping[str, Any]


class Columns(Generic[M]):
    """The columns of a model in a statement written by hand, and the row that is made of their values."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._fields = model._meta.concrete_fields
        self._names = [field.attname for field in self._fields]
        # Django's connection leaves these to their fields.
        self._json = [place for place, field in enumerate(self._fields) if isinstance(field, JSONField)]

    def __len__(self) -> int:
        return len(self._fields)

    def of(self, alias: str) -> str:
        """Return the columns as a statement selects them."""
        return ", ".join(f"{alias}.{field.column}" for field in self._fields)

    def row(self, values: Sequence[Any]) -> M:
        """Return the row of these values; what comes after its columns is left alone."""
        own = list(values[: len(self._fields)])
        for place in self._json:
            own[place] = own[place] and orjson.loads(own[place])
        return self._model.from_db("default", self._names, own)


def rows_insert(*tables: tuple[type[Model], Sequence[Values]]) -> list[int]:
    """Store new rows of some models by one statement; returns of each model how many were stored.

    A row is left out whose unique values another has. No signals are sent.

    Args:
        tables: each a model, and its rows' values by attribute. All rows have the same ones; what they
            leave out gets the database's default.
    """
    if not any(rows for _, rows in tables):
        return [0] * len(tables)
    return rows_insert_reading("SELECT NULL", {}, *tables)[1]


def rows_insert_reading(
    read: str, parameters: Values, *tables: tuple[type[Model], Sequence[Values]]
) -> tuple[Any, list[int]]:
    """Store new rows as ``rows_insert`` does, and return besides what ``read`` found just before.

    Args:
        read: a statement of one value.
    """
    given = [(model, rows) for model, rows in tables if rows]
    statement = _insert(tuple((model, tuple(rows[0])) for model, rows in given), read)
    values = {f"rows_{number}": orjson.dumps(rows).decode() for number, (_, rows) in enumerate(given)}
    found, *counts = run_prepared(statement, {**parameters, **values})[0]
    stored = iter(counts)
    return found, [next(stored) if rows else 0 for _, rows in tables]


def rows_update(model: type[Model], rows: Iterable[Any], names: Sequence[str]) -> None:
    """Store these fields of rows that are in the database already.

    Args:
        rows: of the model, or whatever has such attributes and ``id``.
    """
    changed = list(rows)
    if not changed:
        return
    fields = _updated(model, names)
    given = [{field.attname: getattr(row, field.attname) for field in fields} for row in changed]
    run_prepared(_update(model, tuple(names)), {"rows": orjson.dumps(given).decode()})


@lru_cache(maxsize=64)
def _insert(tables: tuple[tuple[type[Model], tuple[str, ...]], ...], read: str) -> str:
    parts = []
    for number, (model, names) in enumerate(tables):
        by_name = {field.attname: field for field in model._meta.concrete_fields}
        fields = [by_name[name] for name in names]
        columns = ", ".join(f'"{field.column}"' for field in fields)
        new = _recordset(f"rows_{number}", fields)
        parts.append(
            f'stored_{number} AS (INSERT INTO "{model._meta.db_table}" ({columns})'  # noqa: S608
            f" SELECT * FROM {new} ON CONFLICT DO NOTHING RETURNING 1)"
        )
    counts = [f"(SELECT count(*) FROM stored_{number})" for number in range(len(tables))]  # noqa: S608
    # A statement sees what was there when it began, not what it stores itself.
    return f"WITH {', '.join(parts)} SELECT {', '.join([f'({read})', *counts])}"


@lru_cache(maxsize=64)
def _update(model: type[Model], names: tuple[str, ...]) -> str:
    key, *others = fields = _updated(model, names)
    to = ", ".join(f'"{field.column}" = new."{field.attname}"' for field in others)
    return (
        f'UPDATE "{model._meta.db_table}" AS it SET {to} FROM {_recordset("rows", fields)}'  # noqa: S608
        f' WHERE it."{key.column}" = new."{key.attname}"'
    )


def _updated(model: type[Model], names: Sequence[str]) -> "list[Field[Any, Any]]":
    """Return the primary key, and the fields of these names."""
    by_name = {field.name: field for field in model._meta.concrete_fields}
    return [model._meta.pk, *(by_name[name] for name in names)]


def _recordset(parameter: str, fields: "Sequence[Field[Any, Any]]") -> str:
    types = ", ".join(f'"{field.attname}" {field.db_type(connection)}' for field in fields)
    return f"json_to_recordset(%({parameter})s::json) AS new ({types})"
