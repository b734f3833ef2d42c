"""Our side of the tracing benchmark: a process of its own, with Django set up for the stack's database.

Reads orders, one line of JSON each, and answers each with a line.
"""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

import psycopg  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Scope  # noqa: E402
from accounts.services import api_key_create  # noqa: E402
from tracing import packing, partitions  # noqa: E402
from tracing.search import Reached, Seed, search  # noqa: E402
from tracing.search.rows import RECORD_MAX_S, RECORD_MIN_S  # noqa: E402

BLOCK_BYTES = 1 << 20
COLUMNS = "my_id, other_id, start_s, seconds, distance_cm"
SIZES_SQL = """
SELECT coalesce(sum(pg_table_size(inhrelid)), 0), coalesce(sum(pg_indexes_size(inhrelid)), 0)
  FROM pg_inherits WHERE inhparent = 'tracing_interaction'::regclass
"""
# The same rows by the same indexes, looked at and left where they are.
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
    return {"indexes": len(packing.pack(timezone.now())), "seconds": time.perf_counter() - began}


def single(order: dict[str, Any]) -> dict[str, Any]:
    """One case after the other: the seconds of each search, and of the bare reads of the same rows.

    Each is searched once before, uncounted, so that both find its rows in PostgreSQL's memory.
    """
    ours, bare, rows = [], [], []
    for device in order["devices"]:
        search([_seed(device, device, order)], until=_moment(order["until"]))
        began = time.perf_counter()
        found = search([_seed(device, device, order)], until=_moment(order["until"]))[device]
        ours.append(time.perf_counter() - began)
        seconds, read = _bare_reads(_frontiers(device, found, order["rounds"]), order)
        bare.append(seconds)
        rows.append(read)
    return {"ours": ours, "bare": bare, "rows": rows}


def batch(order: dict[str, Any]) -> dict[str, Any]:
    seeds = [_seed(case, device, order) for case, device in enumerate(order["devices"])]
    began = time.perf_counter()
    found = search(seeds, until=_moment(order["until"]))
    seconds = time.perf_counter() - began
    reached = [
        (case, each.device_id, each.degree, int(each.onset.timestamp()))
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


def _bare_reads(frontiers: list[list[int]], order: dict[str, Any]) -> tuple[float, int]:
    values = {"after": order["since"] - RECORD_MAX_S - 1, "before": order["until"], "least": RECORD_MIN_S}
    began, rows = time.perf_counter(), 0
    with psycopg.Cursor(connection.connection) as cursor:
        for devices in frontiers:
            listed = "{" + ",".join(map(str, sorted(devices))) + "}"
            found = cursor.execute(BARE_SQL, {"devices": listed, **values}, binary=True).fetchone()
            rows += found[0] if found else 0
    return time.perf_counter() - began, rows


def _seed(case: int, device: int, order: dict[str, Any]) -> Seed:
    return Seed(case, device, _moment(order["since"]), order["rounds"], time_min_s=order["least_s"])


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _count() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tracing_interaction")
        return int(cursor.fetchone()[0])


ORDERS = (empty, bare_copy, imported, sizes, packed, single, batch, key, count)


def main() -> None:
    orders = {each.__name__: each for each in ORDERS}
    settings.LOGGING_CONFIG = None
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(orders[order.pop("do")](order)), flush=True)


if __name__ == "__main__":
    main()
