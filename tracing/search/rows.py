"""Reading records out of PostgreSQL: all those of a set of devices, from either side, in two statements."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from config.sql import run_prepared
from config.statements import named
from notifications.database import array
from tracing.intake.records import RECORD_MIN_S
from tracing.packed import Integers, Packed
from tracing.partitions import day_of

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
named("tracing.read", "Read the records of devices, from either side.", READ_SQL)
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
named("tracing.read.costs", "Set the planner's costs for reading of many devices.", FOR_MANY_SQL)

# Places to add up a device's contacts in, and Knuth's multiplicative hashing: 2^32 by the golden ratio.
PLACE_BITS = 8
HASH = np.uint32(0x9E37_79B1)

# Devices whose records are read at once: what is worked on stays in the processor's cache (a fifth faster).
READ_DEVICES = 2_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Records, each from the side of a device that was asked for: ``mine`` is its place among those."""

    mine: Integers
    other: Integers
    start: Integers
    seconds: Integers
    distance_cm: Integers

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


def read(devices: Integers, *, since_s: int, until_s: int, least_s: int) -> Rows:
    """Read what these devices (distinct, sorted) recorded, and what others did of them.

    That is all that reaches into the time given, and maybe more; records of pairs that can't add up to
    ``least_s`` are mostly left out.
    """
    parts = []
    for place in range(0, len(devices), READ_DEVICES):
        part = _read(devices[place : place + READ_DEVICES], since_s=since_s, until_s=until_s, least_s=least_s)
        parts.append(replace(part, mine=part.mine + place))
    return Rows.joined(parts)


def _read(devices: Integers, *, since_s: int, until_s: int, least_s: int) -> Rows:
    after = since_s - RECORD_MAX_S - 1
    # In this order: what is packed in between is read twice, which changes nothing, and never missed.
    pair, rest = _read_loose(devices, after=after, before=until_s)
    packed = Packed.read(devices, day_of(after), day_of(until_s))
    mine = _both(np.searchsorted(devices, pair >> 32), np.searchsorted(devices, packed.device)[packed.row])
    other = _both(pair & 0xFFFF_FFFF, packed.other)
    seconds = _both(rest >> 16 & 0xFFFF, packed.seconds)
    kept = np.flatnonzero(seconds >= RECORD_MIN_S)
    kept = kept[_may_last(mine[kept], other[kept], seconds[kept], least_s)]
    rest, packed = rest[kept[kept < len(rest)]], packed[kept[kept >= len(rest)] - len(rest)]
    return Rows(
        mine=mine[kept],
        other=other[kept],
        start=_both(rest >> 32, packed.start),
        seconds=seconds[kept],
        distance_cm=_both(rest & 0xFFFF, packed.distance_cm),
    )


def _read_loose(devices: Integers, *, after: int, before: int) -> list[Integers]:
    """Read records that are not packed: each device with the other, and the rest of each."""
    values = {"devices": array(devices.tolist()), "after": after, "before": before, "least": RECORD_MIN_S}
    if len(devices) >= MANY:
        with transaction.atomic():
            run_prepared(FOR_MANY_SQL, {})
            (columns,) = run_prepared(READ_SQL, values, binary=True, prepare=False)
            # Nothing was written: this takes back the settings alone.
            transaction.set_rollback(True)
    else:
        (columns,) = run_prepared(READ_SQL, values, binary=True)
    return [np.frombuffer(column or b"", ">i8").astype(np.int64) for column in columns]


def _both(loose: Integers, packed: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([loose, packed]) if len(loose) else packed


def _may_last(mine: Integers, other: Integers, seconds: Integers, least_s: int) -> NDArray[np.bool_]:
    """Which records are of a pair whose seconds, overlaps counted twice, may come to so many.

    They are added up in some places for each device by a hash of the other, ten times as fast as by
    the pair itself. Of several that fall together, all may stay: whoever stays is looked at closely later.
    """
    if least_s <= 0 or not len(mine):
        return np.ones(len(mine), dtype=bool)
    place = mine << PLACE_BITS | (other.astype(np.uint32) * HASH >> np.uint32(32 - PLACE_BITS))
    enough: NDArray[np.bool_] = np.bincount(place, weights=seconds) >= least_s
    return enough[place]
