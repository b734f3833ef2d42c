"""The daily partitions of the records: made ahead of time, and dropped when their day is too old."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from config import sql
from config.statements import named

log = structlog.get_logger(__name__)

DAY_S: Final = 86_400
# Two processes that make the same partition take turns.
LOCK: Final = 0x7AC1
# Making, packing and dropping wait for readers and hold up those who come after them: rather not for long.
LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '3s'"

LIST_SQL: Final = """
SELECT child.relname FROM pg_inherits
  JOIN pg_class AS child ON child.oid = inhrelid
 WHERE inhparent = %(parent)s::regclass AND child.relname ~ %(pattern)s
"""
named("tracing.partitions", "List the daily partitions.", LIST_SQL)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a partition for each day."""

    name: str

    def name_of(self, day: date) -> str:
        return f"{self.name}_p{day:%Y%m%d}"


#: Records as they come, a row each, and those of days that are over, packed (tracing.packing).
RECORDS: Final = Table("tracing_interaction")
PACKED: Final = Table("tracing_packedday")


def first_day(now: datetime) -> date:
    """The oldest day of which records are kept."""
    return (now - timedelta(days=settings.TRACING_RETENTION_DAYS)).astimezone(UTC).date()


def last_day(now: datetime) -> date:
    """The last day that partitions are made for ahead."""
    return (now + timedelta(days=settings.TRACING_PARTITIONS_AHEAD_DAYS)).astimezone(UTC).date()


def day_of(start_s: int) -> date:
    return datetime.fromtimestamp(start_s, UTC).date()


def start_of(day: date) -> int:
    """The first second of a day, in Unix seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def existing(table: Table = RECORDS) -> set[date]:
    names = sql.column(LIST_SQL, {"parent": table.name, "pattern": f"^{table.name}_p[0-9]{{8}}$"})
    return {datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date() for name in names}


def ensure(days: Iterable[date], table: Table = RECORDS) -> None:
    """Make the partitions of these days that are not there."""
    if not (missing := set(days) - existing(table)):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        sql.lock(LOCK)
        for day in sorted(missing - existing(table)):
            # Made beside and then attached, which readers and writers of the others need not wait for.
            cursor.execute(f"CREATE TABLE {table.name_of(day)} (LIKE {table.name} INCLUDING ALL)")
            cursor.execute(
                f"ALTER TABLE {table.name} ATTACH PARTITION {table.name_of(day)}"
                f" FOR VALUES FROM ({_bound(table, day)}) TO ({_bound(table, day + timedelta(days=1))})"
            )
            log.info("tracing_partition_made", table=table.name, day=day.isoformat())


def _bound(table: Table, day: date) -> str:
    return str(start_of(day)) if table is RECORDS else f"'{day.isoformat()}'"


def make_ahead(now: datetime) -> None:
    """Make the partitions that records of now, of the look-back and of the next days go into."""
    first, last = first_day(now), last_day(now)
    ensure(first + timedelta(days=number) for number in range((last - first).days + 1))


def drop_old(now: datetime) -> list[date]:
    """Drop the partitions of days before the look-back; return the days that were dropped.

    One that is being read for too long stays until the next time.
    """
    dropped = []
    for day in sorted(day for day in existing() if day < first_day(now)):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(LOCK_TIMEOUT)
                cursor.execute(f"DROP TABLE IF EXISTS {RECORDS.name_of(day)}, {PACKED.name_of(day)}")
        except DatabaseError as error:
            log.warning("tracing_partition_kept", day=day.isoformat(), error=type(error).__name__)
            continue
        log.info("tracing_partition_dropped", day=day.isoformat())
        dropped.append(day)
    return dropped
