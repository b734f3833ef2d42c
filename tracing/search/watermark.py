"""Which devices have new records since a search: so that the periodic check searches only what may differ.

A watermark is the oldest transaction that was still running when it was taken (xid8, never reused). What
older transactions brought was visible then; what any other brings counts as new, however late it commits.
"""

import numpy as np
from django.db import connection, transaction

from config import sql
from config.statements import named
from tracing.intake.devices import unpacked

Watermark = int
# Of a database that was restored elsewhere the old numbers mean nothing: then everything counts as new.
NOW_SQL = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
named("tracing.watermark", "Take the watermark for a search.", NOW_SQL)
TOUCHED_SQL = """
SELECT devices FROM tracing_intake
 WHERE xid >= %(since)s OR %(since)s > pg_snapshot_xmin(pg_current_snapshot())::text::bigint
"""
named("tracing.touched", "Find the devices that have new records since a watermark.", TOUCHED_SQL)


def watermark_now() -> Watermark:
    """Take the watermark *before* the search that it is to be stored with."""
    return int(sql.value(NOW_SQL))


def devices_touched_since(watermark: Watermark) -> set[int]:
    """Every device that records stored since then are about, on either side.

    A case can have new exposures only if one of these is its own device or one that it reached in a degree
    before its last. (Some may have been seen already: those of transactions that were running then.)
    """
    touched: set[int] = set()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TOUCHED_SQL, {"since": watermark})
        for (packed,) in cursor:
            touched.update(np.asarray(unpacked(bytes(packed))).tolist())
    return touched
