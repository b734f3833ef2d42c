"""Copying records into their partitions, each at most once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray
from psycopg.errors import UniqueViolation

from config import sql
from config.statements import named
from tracing import partitions
from tracing.intake.devices import packed
from tracing.intake.known import are_packed
from tracing.intake.records import KEY, Records
from tracing.partitions import DAY_S, PACKED, RECORDS

TYPES = {
    **dict.fromkeys(("my_id", "other_id", "start_s"), ">i4"),
    **dict.fromkeys(("seconds", "distance_cm", "rssi", "platform"), ">i2"),
}
# A point is two doubles.
POINT = np.dtype([("x", ">f8"), ("y", ">f8")])
# PostgreSQL's binary COPY format: a signature, no flags, no extension; at the end a row of -1 fields.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
WRITE_BYTES = 1 << 20

STAGING = "tracing_staging"
# On commit it goes, but several uploads may share a transaction.
STAGING_SQL = """
DROP TABLE IF EXISTS tracing_staging;
CREATE TEMPORARY TABLE tracing_staging (LIKE tracing_interaction) ON COMMIT DROP
"""
named("tracing.staging", "Make the staging table for records of which some are known.", STAGING_SQL)
# In the order of Records.stored_form: see there.
INSERT_SQL = """
INSERT INTO tracing_interaction
SELECT * FROM tracing_staging ORDER BY start_s / 86400, my_id, other_id, start_s, seconds, distance_cm
ON CONFLICT DO NOTHING
"""
named("tracing.store", "Take over from the staging table what is not known.", INSERT_SQL)
INTAKE_SQL = """
INSERT INTO tracing_intake (xid, received_at, records, stored, devices)
VALUES (pg_current_xact_id()::text::bigint, %s, %s, %s, %s)
"""
named("tracing.intake", "Note which devices an upload brought records of.", INTAKE_SQL)


@dataclass(frozen=True, slots=True)
class Stored:
    """How many of the records were new, and how many were there before (or twice among themselves)."""

    new: int
    known: int


def interactions_store(records: Records, *, now: datetime) -> Stored:
    """Store records in one transaction; those that are there already are left as they are.

    Mostly all are new: they are copied straight into their partitions, which costs half of what looking
    each up would. Only if one is known, they take the way through a staging table.
    """
    if not len(records):
        return Stored(0, 0)
    form = records.stored_form()
    partitions.ensure(day for day, _ in _by_day(form))
    with transaction.atomic():
        # Leave out what is known from days that have been packed; until the end of the transaction none is.
        days = dict(_by_day(form))
        sql.execute(f"LOCK TABLE {', '.join(map(RECORDS.name_of, days))} IN ROW EXCLUSIVE MODE")
        known = np.zeros(len(form), dtype=bool)
        for day in partitions.existing(PACKED) & days.keys():
            known[days[day]] = are_packed(form[days[day]], day)
        form = form[np.flatnonzero(~known)] if known.any() else form
        new = min(_copy_unknown(form), len(records))
        if new:
            devices = np.unique(np.concatenate([form.my_id, form.other_id]))
            sql.execute(INTAKE_SQL, [now, len(records), new, packed(devices)])
    return Stored(new=new, known=len(records) - new)


def _copy_unknown(form: Records) -> int:
    try:
        with transaction.atomic():
            for day, place in _by_day(form):
                _copy(form[place], RECORDS.name_of(day))
    except UniqueViolation:
        with connection.cursor() as cursor:
            cursor.execute(STAGING_SQL)
            _copy(form, STAGING)
            cursor.execute(INSERT_SQL)
            return int(cursor.rowcount)
    return len(form)


def _by_day(form: Records) -> Iterator[tuple[date, slice]]:
    """Yield each day, earliest first, with where its records stand."""
    days = form.start_s // DAY_S
    for day in np.unique(days).tolist():
        yield partitions.day_of(day * DAY_S), slice(*np.searchsorted(days, [day, day + 1]).tolist())


def _copy(records: Records, table: str) -> None:
    """Copy records to a table; those with the same extras together, since what is NULL has no value."""
    names = list(records.extras)
    has = np.zeros(len(records), dtype=np.int64)
    for number, column in enumerate(records.extras.values()):
        has |= (~np.isnan(column.reshape(len(records), -1)[:, 0])).astype(np.int64) << number
    for kind in np.unique(has) if names else (0,):
        chosen = records[np.flatnonzero(has == kind)] if names else records
        extras = [name for number, name in enumerate(names) if kind >> number & 1]
        columns = {name: getattr(chosen, name) for name in KEY} | {
            name: chosen.extras[name] for name in extras
        }
        data = memoryview(_binary(columns, len(chosen)))
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(HEADER)
            for at in range(0, len(data), WRITE_BYTES):
                copy.write(data[at : at + WRITE_BYTES])
            copy.write(TRAILER)


def _binary(columns: dict[str, NDArray[np.generic]], count: int) -> bytes:
    """Rows in that format: the number of fields, then each field's length and value."""
    kinds: list[tuple[str, Any]] = [("fields", ">i2")]
    for name in columns:
        kinds += [(f"{name}_length", ">i4"), (name, TYPES.get(name) or POINT)]
    rows = np.empty(count, dtype=kinds)
    rows["fields"] = len(columns)
    for name, column in columns.items():
        rows[f"{name}_length"] = rows.dtype[name].itemsize
        if rows.dtype[name] == POINT:
            rows[name]["x"], rows[name]["y"] = column[:, 0], column[:, 1]
        else:
            rows[name] = column
    return rows.tobytes()
