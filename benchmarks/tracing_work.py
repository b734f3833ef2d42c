"""Our side of the tracing benchmark: a process of its own, with Django set up for the stack's database.

Reads orders, one line of JSON each, and answers each with a line.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import django

django.setup()

import psycopg  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Scope  # noqa: E402
from accounts.services import api_key_create  # noqa: E402
from config.garbage import spare_the_loaded  # noqa: E402
from tracing import packing, partitions  # noqa: E402
from tracing.packed import RECORD  # noqa: E402
from tracing.search import Reached, Seed, search  # noqa: E402
from tracing.search.rows import RECORD_MAX_S, RECORD_MIN_S  # noqa: E402

T = TypeVar("T")

BLOCK_BYTES = 1 << 20
COLUMNS = "my_id, other_id, start_s, seconds, distance_cm"
SIZES_SQL = """
SELECT coalesce(sum(pg_table_size(inhrelid)), 0), coalesce(sum(pg_indexes_size(inhrelid)), 0)
  FROM pg_inherits WHERE inhparent IN ('tracing_interaction'::regclass, 'tracing_packedday'::regclass)
"""
# Each record is packed under either of its devices.
COUNT_SQL = """
SELECT (SELECT count(*) FROM tracing_interaction)
     + (SELECT coalesce(sum(octet_length(records)), 0) FROM tracing_packedday) / (2 * %(bytes)s)
"""
# The same records by the two indexes of the table that they come into, looked at and left where they are.
BARE_SQL = """
SELECT count(*), sum(seconds), min(start_s), min(distance_cm), max(other) FROM (
    SELECT other_id AS other, start_s, seconds, distance_cm FROM tracing_interaction
     WHERE my_id = ANY ((SELECT %(devices)s::integer[])::integer[])
       AND start_s > %(after)s::integer AND start_s < %(before)s::integer AND seconds >= %(least)s::smallint
     UNION ALL
    SELECT my_id, start_s, seconds, distance_cm FROM tracing_interaction
     WHERE other_id = ANY ((SELECT %(devices)s::integer[])::integer[])
       AND start_s > %(after)s::integer AND start_s < %(before)s::integer AND seconds >= %(least)s::smallint
) AS looked_at
"""


def empty(order: dict[str, Any]) -> dict[str, Any]:
    """Empty the table and have the partitions there, as they are in production before records come."""
    # All of it anew: an index that was packed once is not packed again.
    partitions.drop_old(timezone.now() + timedelta(days=1_000))
    partitions.make_ahead(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tracing_intake")
        cursor.execute("CHECKPOINT")
    return {}


def bare_copy(order: dict[str, Any]) -> dict[str, Any]:
    """Copy a file of exactly the table's columns into it, as psql would."""
    began = time.perf_counter()
    with connection.cursor() as cursor, Path(order["file"]).open("rb") as file:
        with cursor.copy(f"COPY tracing_interaction ({COLUMNS}) FROM STDIN (FORMAT csv, HEADER)") as copy:
            while block := file.read(BLOCK_BYTES):
                copy.write(block)
        rows = cursor.rowcount
    return {"seconds": time.perf_counter() - began, "rows": rows}


def imported(order: dict[str, Any]) -> dict[str, Any]:
    """Import a file as an operator does; the packing at its end is part of it."""
    began = time.perf_counter()
    call_command("import_interactions", order["file"], stdout=sys.stderr)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "rows": _count()}


def sizes(order: dict[str, Any]) -> dict[str, Any]:
    """Bytes of tables and indexes, as they are; then vacuum, as it comes by."""
    with connection.cursor() as cursor:
        cursor.execute(SIZES_SQL)
        table, indexes = map(int, cursor.fetchone())
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    return {"table": table, "indexes": indexes}


def packed(order: dict[str, Any]) -> dict[str, Any]:
    """What the night does."""
    began = time.perf_counter()
    return {"days": len(packing.pack(timezone.now())), "seconds": time.perf_counter() - began}


def single(order: dict[str, Any]) -> dict[str, Any]:
    """One case after the other: the seconds of each search.

    Each is searched once before, uncounted, so that it finds its records in PostgreSQL's memory.
    """
    return {"ours": [_twice(partial(_search, each, order))[0] for each in order["devices"]]}


def bare_reads(order: dict[str, Any]) -> dict[str, Any]:
    """For one case after the other, the seconds of reading the records that its search has to look at.

    They are read where a bare COPY has put them, row by row by index; once before, uncounted.
    """
    seconds, rows = [], []
    for device in order["devices"]:
        frontiers = _frontiers(device, _search(device, order), order["rounds"])
        taken, read = _twice(partial(_bare_reads, frontiers, order))
        seconds.append(taken)
        rows.append(read)
    return {"bare": seconds, "rows": rows}


def _twice(work: Callable[[], T]) -> tuple[float, T]:
    """Do it twice; return the seconds of the second time, and its result."""
    work()
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _search(device: int, order: dict[str, Any]) -> Sequence[Reached]:
    return search([_seed(device, device, order)], until=_moment(order["until"]))[device]


def batch(order: dict[str, Any]) -> dict[str, Any]:
    seeds = [_seed(case, device, order) for case, device in enumerate(order["devices"])]
    began = time.perf_counter()
    found = search(seeds, until=_moment(order["until"]))
    seconds = time.perf_counter() - began
    reached = [
        (case, each.device_id, each.degree, each.onset_s)
        for case, exposed in found.items()
        for each in exposed
    ]
    return {"seconds": seconds, "found": reached}


def key(order: dict[str, Any]) -> dict[str, Any]:
    return {"key": api_key_create(name="benchmark", scopes=[Scope.TRACING_WRITE])[1], "rows": _count()}


def count(order: dict[str, Any]) -> dict[str, Any]:
    return {"rows": _count()}


def _frontiers(device: int, found: Sequence[Reached], rounds: int) -> list[list[int]]:
    """The devices whose rows had to be looked at, by degree."""
    degrees = ([each.device_id for each in found if each.degree == degree] for degree in range(1, rounds))
    return [each for each in ([device], *degrees) if each]


def _bare_reads(frontiers: list[list[int]], order: dict[str, Any]) -> int:
    values = {"after": order["since"] - RECORD_MAX_S - 1, "before": order["until"], "least": RECORD_MIN_S}
    rows = 0
    with psycopg.Cursor(connection.connection) as cursor:
        for devices in frontiers:
            listed = "{" + ",".join(map(str, sorted(devices))) + "}"
            found = cursor.execute(BARE_SQL, {"devices": listed, **values}, binary=True).fetchone()
            rows += found[0] if found else 0
    return rows


def _seed(case: int, device: int, order: dict[str, Any]) -> Seed:
    return Seed(case, device, _moment(order["since"]), order["rounds"], time_min_s=order["least_s"])


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _count() -> int:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_SQL, {"bytes": RECORD.itemsize})
        return int(cursor.fetchone()[0])


ORDERS = (empty, bare_copy, imported, sizes, packed, single, bare_reads, batch, key, count)


def main() -> None:
    orders = {each.__name__: each for each in ORDERS}
    settings.LOGGING_CONFIG = None
    spare_the_loaded()  # as a worker does, which searches in the product
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(orders[order.pop("do")](order)), flush=True)


if __name__ == "__main__":
    main()
