"""Indexes of days that are over, built anew: records come in any order, which leaves an index half empty."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

import structlog
from django.db import connection

from tracing import partitions

log = structlog.get_logger(__name__)

# Two processes that packed at once would each take the other's half-built index for a leftover.
LOCK: Final = 0x7AC2
# How full pages are made, in percent. Were they full, the first late record of each would cut it in two.
FULL: Final = 95
# An index that has grown by more than this since it was packed is packed again: late records came.
GROWN: Final = 1.1

# The bytes of a unique index beside its table's, where its pages are full: 28 a row, and 44.
UNIQUE_SHARE: Final = 0.636

# A comment on an index says what it took when it was packed; building it anew keeps it. Where there is none,
# a unique index may be as good as packed, since whole days go into it in order.
LOOSE_SQL: Final = """
SELECT index.indexrelid::regclass::text FROM pg_inherits
  JOIN pg_class AS part ON part.oid = inhrelid
  JOIN pg_index AS index ON index.indrelid = part.oid
 WHERE inhparent = 'tracing_interaction'::regclass AND part.relname = ANY (%(names)s)
   AND pg_relation_size(index.indexrelid) > %(grown)s * coalesce(
       substring(obj_description(index.indexrelid, 'pg_class') FROM '^packed to ([0-9]+) bytes$')::bigint,
       CASE WHEN indisunique THEN %(share)s * pg_relation_size(part.oid) ELSE 0 END)
 ORDER BY 1
"""
LEFTOVERS_SQL: Final = """
SELECT index.indexrelid::regclass::text FROM pg_inherits
  JOIN pg_index AS index ON index.indrelid = inhrelid
 WHERE inhparent = 'tracing_interaction'::regclass AND NOT index.indisvalid
"""


def pack(now: datetime, days: Iterable[date] | None = None) -> list[str]:
    """Pack the loose indexes of the days given, or of all, that are over; return their names.

    It is done beside the old index, so that nobody waits. What a run that was killed left behind is removed
    first. Where another process is at it already, nothing is done.
    """
    today = now.astimezone(UTC).date()
    over = [day for day in (partitions.existing() if days is None else days) if day < today]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return []
        try:
            _remove_leftovers()
            loose = _loose(over)
            for name in loose:
                _pack_one(name)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    return loose


def _remove_leftovers() -> None:
    with connection.cursor() as cursor:
        cursor.execute(LEFTOVERS_SQL)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX {name}")


def _loose(days: Iterable[date]) -> list[str]:
    with connection.cursor() as cursor:
        names = [partitions.name_of(day) for day in days]
        cursor.execute(LOOSE_SQL, {"names": names, "grown": GROWN, "share": UNIQUE_SHARE})
        return [name for (name,) in cursor.fetchall()]


def _pack_one(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER INDEX {name} SET (fillfactor = {FULL})")
        cursor.execute(f"REINDEX INDEX CONCURRENTLY {name}")
        cursor.execute("SELECT pg_relation_size(%s::regclass)", [name])
        (taken,) = cursor.fetchone()
        cursor.execute(f"COMMENT ON INDEX {name} IS 'packed to {int(taken)} bytes'")
    log.info("tracing_index_packed", index=name, bytes=taken)
