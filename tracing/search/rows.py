"""Reading records out of PostgreSQL: all those of a set of devices, from either side, in one statement."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from django.db import connection, transaction
from numpy.typing import NDArray

# "At least 30 s long": shorter records are no contact, whatever a filter says.
RECORD_MIN_S = 30
# No record that is stored is longer than this; longer ones are stored in pieces.
RECORD_MAX_S = 32_767

# Two things make this fast. The array comes from a subquery, so that the planner does not weigh each of its
# elements, and goes through either index in one ordered pass. And the columns come back as two strings of
# bytes, in which a record takes eight bytes each: a row of its own for each record would cost four times as
# much as finding it, and a string for each column half as much (measured). None of them is negative.
READ_SQL = """
SELECT string_agg(int8send(device::bigint << 32 | other), ''::bytea),
       string_agg(int8send(start_s::bigint << 32 | (seconds::integer << 16 | distance_cm)), ''::bytea)
  FROM (
    SELECT my_id, other_id, start_s, seconds, distance_cm
      FROM tracing_interaction
     WHERE my_id = ANY ((SELECT %(devices)s::integer[])::integer[])
       AND start_s > %(after)s::integer AND start_s < %(before)s::integer AND seconds >= %(least)s::smallint
     UNION ALL
    SELECT other_id, my_id, start_s, seconds, distance_cm
      FROM tracing_interaction
     WHERE other_id = ANY ((SELECT %(devices)s::integer[])::integer[])
       AND start_s > %(after)s::integer AND start_s < %(before)s::integer AND seconds >= %(least)s::smallint
  ) AS sides (device, other, start_s, seconds, distance_cm)
"""
# Of so many devices, records lie on most pages of the table. By what the planner expects it would visit each
# page dozens of times, record by record: a higher price for that makes it read page by page, by a bitmap of
# the second index. And a higher price for each record makes it share them out among processors.
MANY = 1_000
FOR_MANY_SQL = """
SELECT set_config(name, value, true)
  FROM (VALUES ('random_page_cost', '20'), ('cpu_tuple_cost', '10'),
               ('parallel_setup_cost', '0'), ('parallel_tuple_cost', '0'),
               ('min_parallel_index_scan_size', '0'), ('min_parallel_table_scan_size', '0'))
       AS given (name, value)
"""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read, as columns; ``pair`` is the device that was asked for (the upper half) and the other."""

    pair: Integers
    start: Integers
    seconds: Integers
    distance_cm: Integers

    @property
    def other(self) -> Integers:
        return self.pair & 0xFFFF_FFFF


def read(devices: Integers, *, since_s: int, until_s: int) -> Rows:
    """Read the records of these devices (distinct, sorted) that reach into the time given."""
    values = {
        "devices": "{" + ",".join(map(str, devices.tolist())) + "}",
        "after": since_s - RECORD_MAX_S - 1,
        "before": until_s,
        "least": RECORD_MIN_S,
    }
    if len(devices) >= MANY:
        with transaction.atomic():
            _execute(FOR_MANY_SQL)
            found = _execute(READ_SQL, values, prepare=False)
            # Nothing was written: this takes back the settings alone.
            transaction.set_rollback(True)
    else:
        found = _execute(READ_SQL, values)
    pair, rest = (np.frombuffer(column or b"", ">i8").astype(np.int64) for column in found)
    return Rows(pair, start=rest >> 32, seconds=rest >> 16 & 0xFFFF, distance_cm=rest & 0xFFFF)


def _execute(statement: str, values: Mapping[str, Any] | None = None, *, prepare: bool | None = None) -> Any:
    # Django's own cursor takes results as text only, where each byte would take two.
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, values, binary=True, prepare=prepare)
        return cursor.fetchone() if cursor.description else None
