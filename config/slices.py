"""Ending what is old in slices: short statements, a pause after each, and an end to every run.

A slice is one transaction of its own. Whoever is killed between two has done the first; the next run goes on.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from config import sql

#: Rows that one statement looks at, so that it neither locks nor writes much at a time.
MOST: Final = 2000
#: Seconds between two of them, which leave room to the others' writes, and to the vacuum.
PAUSE_S: Final = 0.05


class Run:
    """One run of a job that ends what is old: by which time, and for how long it may go on."""

    def __init__(self, *, now: datetime, for_s: float = float("inf")) -> None:
        self.now = now
        self._ends = time.monotonic() + for_s
        self.is_cut = False

    def goes_on(self) -> bool:
        """Whether another slice may follow, after a pause; if not, ``is_cut`` says so from then on."""
        self.is_cut = time.monotonic() >= self._ends
        if not self.is_cut:
            time.sleep(PAUSE_S)
        return not self.is_cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """Rows of a table that end by their age; ``it`` is the row in each condition.

    They are gone through in the order of ``by``, whose last column is the primary key. It has to be the order
    of an index, and to grow with ``age``: a run is over with the first slice in which nothing is old enough.
    All of this becomes SQL as it is.
    """

    table: str
    #: The column that says how old a row is.
    age: str
    by: tuple[str, ...] = ("id",)
    #: The condition of the partial index, where it is one.
    among: str = "true"
    #: What keeps an old row for now. Asked again with the row locked.
    unless: str = "false"
    #: Rows that go in the same statement: the table, its column, and a condition. A few to each row. What
    #: hangs on such a row has no column, but a condition with ``{old}`` for the keys.
    along: tuple[tuple[str, str, str], ...] = ()
    #: How a row is changed, where it is not to be deleted.
    change: str = ""

    @property
    def key(self) -> str:
        return self.by[-1]

    def statement(self, *, is_first: bool) -> str:
        """Return the statement for one slice, which returns one row: seen, old, ended, and the last place."""
        by = ", ".join(f"it.{column}" for column in self.by)
        behind = f"AND ({by}) > ({', '.join(f'%(after_{column})s' for column in self.by)})"
        newest_first = ", ".join(f"{column} DESC" for column in self.by)
        last = ", ".join(f"(array_agg({column} ORDER BY {newest_first}))[1]" for column in self.by)
        old = f"ARRAY (SELECT {self.key} FROM old)"  # noqa: S608
        along = "".join(
            f", along_{number} AS (DELETE FROM {table}"  # noqa: S608
            f" WHERE {f'{column} = ANY ({old}) AND ' if column else ''}({condition.format(old=old)}))"
            for number, (table, column, condition) in enumerate(self.along)
        )
        act = f"UPDATE {self.table} SET {self.change}" if self.change else f"DELETE FROM {self.table}"  # noqa: S608
        return f"""
WITH seen AS MATERIALIZED (
    SELECT {by}, it.{self.age} < %(before)s AS is_old FROM {self.table} AS it
     WHERE ({self.among}) {"" if is_first else behind}
     ORDER BY {by} LIMIT %(most)s
), old AS MATERIALIZED (
    SELECT it.{self.key} FROM {self.table} AS it
     WHERE it.{self.key} = ANY (ARRAY (SELECT {self.key} FROM seen WHERE is_old))
       AND it.{self.age} < %(before)s AND NOT ({self.unless})
       FOR UPDATE SKIP LOCKED
){along}, ended AS ({act} WHERE {self.key} = ANY (ARRAY (SELECT {self.key} FROM old)))
SELECT count(*), count(*) FILTER (WHERE is_old), (SELECT count(*) FROM old), {last} FROM seen
"""  # noqa: S608


def old_end(old: Old, *, before: datetime, run: Run, **parameters: Any) -> int:
    """Delete the rows that are older than ``before``, or change them; returns how many.

    As many slices as the run has time for. What somebody else has locked, the next run finds.

    Args:
        parameters: what the conditions name, beside ``before``.
    """
    total, after = 0, dict[str, Any]()
    while True:
        with connection.cursor() as cursor:
            statement = old.statement(is_first=not after)
            cursor.execute(statement, {**parameters, **after, "before": before, "most": MOST})
            seen, aged, ended, *place = cursor.fetchone()
        after = {f"after_{column}": at for column, at in zip(old.by, place, strict=True)}
        total += ended
        if seen < MOST or not aged or not run.goes_on():
            return total


def children_delete(table: str, *, of: str, parents: Sequence[Any], run: Run) -> bool:
    """Delete the rows of a table that belong to some of another; False where the run's time was over before.

    Args:
        of: an SQL condition about ``child``, with ``%(parents)s`` for the keys of those.
    """
    statement = (
        f"DELETE FROM {table} WHERE id = ANY"  # noqa: S608  (constants of the callers)
        f" (ARRAY (SELECT child.id FROM {table} AS child WHERE {of} LIMIT %(most)s))"
    )
    while True:
        count = sql.execute(statement, {"parents": list(parents), "most": MOST})
        if count < MOST:
            return True
        if not run.goes_on():
            return False
