# ruff: noqa: S608  (names of tables, and bounds of our own)
"""The monthly partitions of deliveries and attempts: made ahead of time, so that a row finds its month.

A delivery's id begins with the millisecond of its fact (notifications.ids), and both tables are
divided by it: see docs/adr/0026.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from config import sql
from config.statements import named
from notifications.history.month import Month
from notifications.ids import first_id, moment_of

log = structlog.get_logger(__name__)

#: Months for which partitions are made ahead, after the present one.
AHEAD: Final = 3
# Two processes that make or drop the same take turns.
LOCK: Final = 0x7AC3
# What waits for a lock holds up all who come after it: rather not for long.
LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '300ms'"

_LIST: Final = """
SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
  FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
 WHERE inhparent = %s::regclass
"""
named("history.partitions", "List the partitions of a table, with their bounds.", _LIST)
# Of the last one, which has no end, nobody asks.
_BOUNDS: Final = re.compile(r"FROM \((?:MINVALUE|'([^']+)')\) TO \('([^']+)'\)")
# The parameters that all partitions share (a parent can have none) are those of the newest.
_OPTIONS: Final = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = %s::regclass"
named("history.options", "Read the storage parameters of a partition.", _OPTIONS)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a partition for each month, one for all before these, and one for all after them."""

    name: str
    key: str

    def name_of(self, month: Month) -> str:
        return f"{self.name}_p{month.start:%Y%m}"

    @property
    def rest(self) -> str:
        """The partition of whatever comes after the last month: empty, unless nobody made months."""
        return f"{self.name}_rest"


DELIVERIES: Final = Table("notifications_delivery", "id")
ATTEMPTS: Final = Table("notifications_attempt", "delivery_id")
TABLES: Final = (DELIVERIES, ATTEMPTS)


class Partition(NamedTuple):
    """What lies from a first moment (None: any) until before a last one."""

    name: str
    start: datetime | None
    end: datetime


def partitions(table: Table) -> list[Partition]:
    """Return what a table is divided into, the oldest first; without the rest."""
    found = [
        Partition(name, moment_of(UUID(match[1])) if match[1] else None, moment_of(UUID(match[2])))
        for name, bounds in sql.rows(_LIST, [table.name])
        if (match := _BOUNDS.search(bounds))
    ]
    return sorted(found, key=lambda each: each.end)


def make_ahead(now: datetime) -> list[str]:
    """Make the partitions until some months from now; returns their names.

    Rows of theirs that came before them are moved there. Where a table is in use for long, the rest is left
    for the next call.
    """
    last = Month.of(now)
    for _ in range(AHEAD):
        last = last.following
    made = []
    for table in TABLES:
        while (month := Month.of(partitions(table)[-1].end)).start <= last.start:
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    sql.lock(LOCK)
                    if month.start == partitions(table)[-1].end:
                        _make(cursor, table, month)
                        made.append(table.name_of(month))
            except OperationalError as error:
                log.warning("history_in_use", partition=table.name_of(month), error=str(error).strip())
                break
    return made


def _make(cursor: CursorWrapper, table: Table, month: Month) -> None:
    rest, name, first, last = table.rest, table.name_of(month), first_id(month.start), first_id(month.end)
    options = sql.value(_OPTIONS, [partitions(table)[-1].name])
    like = f"(LIKE {table.name} INCLUDING ALL)" + (f" WITH ({options})" if options else "")
    for new in (name, f"{rest}_new"):
        cursor.execute(f"CREATE TABLE {new} {like}")
    cursor.execute(LOCK_TIMEOUT)
    # Whoever changed a row while it is moved would find it gone, and believe that it never was there.
    cursor.execute(f"LOCK TABLE ONLY {table.name} IN ACCESS EXCLUSIVE MODE")
    cursor.execute(f"INSERT INTO {name} SELECT * FROM {rest} WHERE {table.key} < %s", [last])
    moved = cursor.rowcount
    cursor.execute(f"INSERT INTO {rest}_new SELECT * FROM {rest} WHERE {table.key} >= %s", [last])
    cursor.execute(f"DROP TABLE {rest}")
    cursor.execute(f"ALTER TABLE {rest}_new RENAME TO {rest}")
    attach = f"ALTER TABLE {table.name} ATTACH PARTITION"
    cursor.execute(f"{attach} {name} FOR VALUES FROM ('{first}') TO ('{last}')")
    cursor.execute(f"{attach} {rest} FOR VALUES FROM ('{last}') TO (MAXVALUE)")
    log.info("history_month_made", table=table.name, month=str(month), moved=moved)


def analyze(now: datetime) -> None:
    """Bring up to date what the planner knows.

    Autovacuum looks at parts only, never at a whole table; and the part of a month that has just begun it
    may not look at for long.
    """
    for table in TABLES:
        sql.execute(f"ANALYZE ONLY {table.name}")
        present = next(each for each in partitions(table) if each.end > now)
        sql.execute(f"ANALYZE {present.name}")
