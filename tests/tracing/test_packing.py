"""Indexes of days that are over are made small again: once, and again when late records came."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection

from tests.tracing.storing import store
from tracing import packing, partitions
from tracing.intake import Records, interactions_store
from tracing.models import Interaction
from tracing.reference import Record

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_interactions_gone")]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OVER = NOW - timedelta(days=2)
ROWS, PART = 120_000, 10_000


@pytest.fixture
def _interactions_gone(transactional_db: None) -> Iterator[None]:
    """What no model manages is not emptied after a test that commits, and an index is not made anew."""
    partitions.drop_old(NOW + timedelta(days=5000))
    yield
    partitions.drop_old(NOW + timedelta(days=5000))


def many(moment: datetime, *, seed: int = 1, rows: int = ROWS) -> Records:
    random = np.random.default_rng(seed)
    start = int(moment.timestamp()) + random.integers(0, 3600, rows)
    seconds, distance_cm = random.integers(30, 900, rows), random.integers(0, 900, rows)
    my_id = random.integers(1, 3_000, rows)
    return Records(my_id, my_id % 3_000 + random.integers(1, 900, rows), start, seconds, distance_cm)


def stored_in_parts(records: Records) -> None:
    for at in range(0, len(records), PART):
        interactions_store(records[slice(at, at + PART)], now=NOW)


def index_bytes(day: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_indexes_size(%s::regclass)", [partitions.name_of(day.date())])
        return int(cursor.fetchone()[0])


def test_the_indexes_of_a_day_that_is_over_are_packed_once_and_of_today_not_at_all() -> None:
    stored_in_parts(many(OVER))
    store([Record(1, 2, int(NOW.timestamp()), int(NOW.timestamp()) + 60, 1.0)])
    before, rows = index_bytes(OVER), Interaction.objects.count()
    mine = partitions.name_of(OVER.date())
    packed = packing.pack(NOW)
    assert len(packed) == 2
    assert all(name.startswith(mine) for name in packed)
    assert index_bytes(OVER) < 0.85 * before
    assert packing.pack(NOW) == []
    assert Interaction.objects.count() == rows
    assert store([Record(1, 2, int(OVER.timestamp()), int(OVER.timestamp()) + 60, 1.0)]).new == 1
    assert store([Record(1, 2, int(OVER.timestamp()), int(OVER.timestamp()) + 60, 1.0)]).known == 1


def test_a_few_late_records_find_room_and_many_have_the_day_packed_again() -> None:
    stored_in_parts(many(OVER))
    packing.pack(NOW)
    small = index_bytes(OVER)
    interactions_store(many(OVER, seed=2, rows=ROWS // 100), now=NOW)
    assert packing.pack(NOW) == []
    assert index_bytes(OVER) < 1.2 * small
    stored_in_parts(many(OVER, seed=3, rows=ROWS // 4))
    assert len(packing.pack(NOW)) == 2
    assert packing.pack(NOW) == []


def test_what_a_killed_run_left_behind_is_removed() -> None:
    stored_in_parts(many(OVER, rows=100))
    table = partitions.name_of(OVER.date())
    with connection.cursor() as cursor:
        # One that fails on its way leaves an index that is of no use, as a kill would.
        with pytest.raises(IntegrityError):
            cursor.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {table}_left ON {table} ((1))")
        cursor.execute("SELECT to_regclass(%s)::text", [f"{table}_left"])
        assert cursor.fetchone() == (f"{table}_left",)
        packing.pack(NOW)
        cursor.execute("SELECT to_regclass(%s)::text", [f"{table}_left"])
        assert cursor.fetchone() == (None,)


def test_two_do_not_pack_at_once() -> None:
    stored_in_parts(many(OVER, rows=100))
    with psycopg.connect(**connection.get_connection_params() | {"context": None}) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [packing.LOCK])
        assert packing.pack(NOW) == []
        other.execute("SELECT pg_advisory_unlock(%s)", [packing.LOCK])
    assert len(packing.pack(NOW)) == 2


def test_an_import_packs_the_days_that_it_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracing.intake.files.PART_BYTES", 40_000)
    day = datetime.now(UTC).replace(hour=1) - timedelta(days=3)
    records = many(day, rows=8_000)
    store([Record(1, 2, int(day.timestamp()) - 86_400, int(day.timestamp()) - 86_000, 1.0)])
    columns = records.my_id, records.other_id, records.start_s, records.seconds
    lines = [",".join(map(str, row)) for row in np.stack(columns, axis=1).tolist()]
    file = tmp_path / "a.csv.gz"
    text = "\n".join(["my_id,other_id,timestamp_start,interval,distance", *(f"{line},1" for line in lines)])
    file.write_bytes(gzip.compress(text.encode()))

    call_command("import_interactions", str(file))

    as_it_is = index_bytes(day)
    with connection.cursor() as cursor:
        cursor.execute(f"REINDEX TABLE {partitions.name_of(day.date())}")
    assert as_it_is == index_bytes(day)
    # The day before, of which nothing was in the file, is left to the night.
    assert len(packing.pack(datetime.now(UTC))) == 2
