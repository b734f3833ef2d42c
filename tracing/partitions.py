"""The daily partitions of the interactions: made ahead of time, and dropped when their day is too old."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

log = structlog.get_logger(__name__)

DAY_S = 86_400
PREFIX = "tracing_interaction_p"
# Two processes that make the same partition take turns.
LOCK = 0x7AC1
# Making and dropping wait for readers and hold up those who come after them: rather not for long.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '3s'"

LIST_SQL = """
SELECT child.relname FROM pg_inherits
  JOIN pg_class AS child ON child.oid = inhrelid
 WHERE inhparent = 'tracing_interaction'::regclass AND child.relname ~ %(pattern)s
"""


def name_of(day: date) -> str:
    return f"{PREFIX}{day:%Y%m%d}"


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


def existing() -> set[date]:
    with connection.cursor() as cursor:
        cursor.execute(LIST_SQL, {"pattern": f"^{PREFIX}[0-9]{{8}}$"})
        names = [name for (name,) in cursor.fetchall()]
    return {datetime.strptime(name, f"{PREFIX}%Y%m%d").replace(tzinfo=UTC).date() for name in names}


def ensure(days: Iterable[date]) -> None:
    """Make the partitions of these days that are not there."""
    if not (missing := set(days) - existing()):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for day in sorted(missing - existing()):
            table, start = name_of(day), start_of(day)
            # Made beside and then attached, which readers and writers of the others need not wait for.
            cursor.execute(f"CREATE TABLE {table} (LIKE tracing_interaction INCLUDING ALL)")
            cursor.execute(
                f"ALTER TABLE tracing_interaction ATTACH PARTITION {table}"
                f" FOR VALUES FROM ({start}) TO ({start + DAY_S})"
            )
            log.info("tracing_partition_made", day=day.isoformat())


def make_ahead(now: datetime) -> None:
    """Make the partitions that records of now, of the look-back and of the next days go into."""
    first, last = first_day(now), last_day(now)
    ensure(first + timedelta(days=number) for number in range((last - first).days + 1))


def drop_old(now: datetime) -> list[date]:
    """Drop the partitions of days before the look-back; return the days that were dropped.

    One that is being read for too long stays until the next time.
    """
    dropped = []
    for day in sorted(each for each in existing() if each < first_day(now)):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(LOCK_TIMEOUT)
                cursor.execute(f"DROP TABLE IF EXISTS {name_of(day)}")
        except DatabaseError as error:
            log.warning("tracing_partition_kept", day=day.isoformat(), error=type(error).__name__)
            continue
        log.info("tracing_partition_dropped", day=day.isoformat())
        dropped.append(day)
    return dropped
