"""Reading records out of PostgreSQL: all those of a set of devices, from either side, in one statement."""

from dataclasses import dataclass

import numpy as np
import psycopg
from django.db import connection
from numpy.typing import NDArray

# "At least 30 s long": shorter records are no contact, whatever a filter says.
RECORD_MIN_S = 30
# No record that is stored is longer than this; longer ones are stored in pieces.
RECORD_MAX_S = 32_767

# Two things make this fast. The array comes from a subquery, so that the planner does not weigh each of its
# elements, and goes through either index in one ordered pass. And each column comes back as one string of
# bytes: a row of its own for each record would cost four times as much as finding it (measured).
READ_SQL = """
SELECT string_agg(int4send(device), ''::bytea), string_agg(int4send(other), ''::bytea),
       string_agg(int4send(start_s), ''::bytea), string_agg(int2send(seconds), ''::bytea),
       string_agg(int2send(distance_cm), ''::bytea)
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
TYPES = (">i4", ">i4", ">i4", ">i2", ">i2")

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read, as columns; each record stands under the device that was asked for."""

    device: Integers
    other: Integers
    start: Integers
    seconds: Integers
    distance_cm: Integers


def read(devices: Integers, *, since_s: int, until_s: int) -> Rows:
    """Read the records of these devices (distinct, sorted) that reach into the time given."""
    values = {
        "devices": "{" + ",".join(map(str, devices.tolist())) + "}",
        "after": since_s - RECORD_MAX_S - 1,
        "before": until_s,
        "least": RECORD_MIN_S,
    }
    # Django's own cursor takes results as text only, where each byte would take two.
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        columns = cursor.execute(READ_SQL, values, binary=True).fetchone() or ()
    return Rows(
        *(
            np.frombuffer(column or b"", kind).astype(np.int64)
            for column, kind in zip(columns, TYPES, strict=True)
        )
    )
