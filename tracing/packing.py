"""Packing days that are over: a row for each device, instead of one for each record and two index entries."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

import structlog
from django.db import OperationalError, connection, transaction

from config.statements import named
from tracing import partitions
from tracing.partitions import LOCK_TIMEOUT, PACKED, RECORDS

log = structlog.get_logger(__name__)

# Late records wait until they take more than this share of what their day takes packed: few by few, each
# would cost its device's row anew.
LATE_SHARE: Final = 0.1
# What sorting a day's records may take; it goes to disk beyond.
SORT_MEMORY: Final = "SET LOCAL work_mem = '64MB'"

# Of days that were kept with signals or positions nothing is packed: there is no room for those.
WORTH_IT_SQL: Final = """
SELECT EXISTS (SELECT FROM {records})
   AND NOT EXISTS (SELECT FROM {records} WHERE num_nulls(rssi, platform, position) < 3)
   AND pg_total_relation_size('{records}')
       > %(share)s * coalesce(pg_total_relation_size(to_regclass('{packed}')), 0)
"""
# See tracing.packed for the form.
PACK_SQL: Final = """
INSERT INTO {packed} AS known (device_id, day, records)
SELECT device, %(day)s::date, string_agg(
           int8send((other::bigint << 32) | ((start_s - %(start)s)::bigint << 15) | distance_cm)
           || int2send(seconds), ''::bytea ORDER BY other, start_s)
  FROM (
    SELECT my_id, other_id, start_s, seconds, distance_cm FROM {records}
     UNION ALL
    SELECT other_id, my_id, start_s, ~seconds, distance_cm FROM {records}
  ) AS sides (device, other, start_s, seconds, distance_cm)
 GROUP BY device
    ON CONFLICT (device_id, day) DO UPDATE SET records = known.records || excluded.records
"""
_ALL_DAYS: Final = {"records": RECORDS.name, "packed": PACKED.name}
named(
    "tracing.worth-packing",
    "Ask whether a day, here all, is worth packing.",
    WORTH_IT_SQL.format(**_ALL_DAYS),
)
named("tracing.pack", "Pack the records of a day (here: of all).", PACK_SQL.format(**_ALL_DAYS))


def pack(now: datetime, days: Iterable[date] | None = None) -> list[date]:
    """Pack those of the days given, or of all, that are over and have enough to pack; return them.

    Who uploads records of a day waits while it is packed; searches don't. A day that is in use for too
    long stays as it is until the next time.
    """
    today = now.astimezone(UTC).date()
    over = sorted(day for day in (partitions.existing() if days is None else days) if day < today)
    return [day for day in over if _packed(day)]


def _packed(day: date) -> bool:
    """Pack a day, and say whether it was worth it and could be done."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LOCK_TIMEOUT)
            names = {"records": RECORDS.name_of(day), "packed": PACKED.name_of(day)}
            # Neither another packing nor an upload, which looks at what is packed before it stores the rest.
            cursor.execute("LOCK TABLE {records} IN SHARE ROW EXCLUSIVE MODE".format(**names))
            cursor.execute(WORTH_IT_SQL.format(**names), {"share": LATE_SHARE})
            if not cursor.fetchone()[0]:
                return False
            partitions.ensure([day], PACKED)
            cursor.execute(SORT_MEMORY)
            cursor.execute(PACK_SQL.format(**names), {"day": day, "start": partitions.start_of(day)})
            log.info("tracing_day_packed", day=day.isoformat(), devices=cursor.rowcount)
            cursor.execute("TRUNCATE {records}".format(**names))
            cursor.execute("ANALYZE {packed}".format(**names))
            return True
    except OperationalError as error:
        log.warning("tracing_day_not_packed", day=day.isoformat(), error=type(error.__cause__).__name__)
        return False
