"""Statements written by hand, each run by itself on Django's connection."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from django.db import connection
from psycopg import RawCursor

Parameters = Mapping[str, Any] | Sequence[Any] | None


def rows(statement: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def column(statement: str, parameters: Parameters = None) -> list[Any]:
    """Run a statement and return the first value of each of its rows."""
    return [first for first, *_ in rows(statement, parameters)]


def value(statement: str, parameters: Parameters = None) -> Any:
    """Run a statement that returns a row, and return the first value of that."""
    return column(statement, parameters)[0]


def execute(statement: str, parameters: Parameters = None) -> int:
    """Run a statement; returns how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def lock(*key: int) -> None:
    """Wait for the advisory lock of this number, or these two, and keep it until the transaction ends."""
    rows(f"SELECT pg_advisory_xact_lock({', '.join(['%s'] * len(key))})", key)


_PARAMETER: Final = re.compile(r"%(?:%|\((\w+)\)s)")


@lru_cache(maxsize=512)
def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with $1, $2, … for its named parameters, and their names in that order.

    Psycopg would do this anew each time for whatever is longer than 4 KB: a third of a millisecond.
    """
    places: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        name = found[1]
        return "%" if name is None else f"${places.setdefault(name, len(places) + 1)}"

    return _PARAMETER.sub(place, statement), tuple(places)


def run_prepared(
    statement: str, parameters: Mapping[str, Any], *, binary: bool = False, prepare: bool | None = None
) -> list[tuple[Any, ...]]:
    """Run a statement prepared, which Django's own cursors never do; returns its rows, if it has any.

    Args:
        binary: have results sent as they are, and not as text, in which a byte takes two.
        prepare: False for one that is to be planned for these parameters.
    """
    # As Django's own cursors do.
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    text, names = numbered(statement)
    values = [parameters[name] for name in names]
    with connection.wrap_database_errors, RawCursor(connection.connection) as cursor:
        cursor.execute(text, values, binary=binary, prepare=prepare)
        # To ask for the description would make an object of each column.
        return cursor.fetchall() if cursor.pgresult and cursor.pgresult.nfields else []
