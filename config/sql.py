"""Statements written by hand, each run by itself on Django's connection."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

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
