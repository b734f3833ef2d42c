"""Days that are over become a row a device: searched as before, no record twice, and late ones come along."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import numpy as np
import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from tests.tracing.storing import store
from tracing import packing, partitions
from tracing.intake import Records, Stored, interactions_store
from tracing.models import Interaction, PackedDay
from tracing.packed import RECORD
from tracing.partitions import PACKED, RECORDS
from tracing.reference import Record
from tracing.search import Seed, search
from tracing.selectors import device_is_seen

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_interactions_gone")]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OVER = NOW - timedelta(days=2)
ROWS = 20_000
WAITING = "SELECT FROM pg_locks WHERE NOT granted AND relation = %s::regclass"


@pytest.fixture
def _interactions_gone(transactional_db: None) -> Iterator[None]:
    """Partitions that a test that commits has made would be there for the next."""
    partitions.drop_old(NOW + timedelta(days=5000))
    yield
    partitions.drop_old(NOW + timedelta(days=5000))


def many(moment: datetime, *, seed: int = 1, rows: int = ROWS) -> Records:
    random = np.random.default_rng(seed)
    start = partitions.start_of(moment.date()) + random.integers(0, partitions.DAY_S, rows)
    seconds, distance_cm = random.integers(0, 900, rows), random.integers(0, 32_768, rows)
    my_id = random.integers(1, 500, rows)
    return Records(my_id, my_id + random.integers(1, 900, rows), start, seconds, distance_cm)


def at(moment: datetime, my_id: int = 1, other_id: int = 2) -> Record:
    second = int(moment.timestamp())
    return Record(my_id, other_id, second, second + 60, 1.0)


def found(now: datetime = NOW) -> dict[object, list[object]]:
    since = now - timedelta(days=10)
    return search([Seed(device, device, since, rounds=2) for device in (1, 2, 7, 400)], until=now)


def packed_records() -> int:
    """Each is there under both of its devices."""
    sizes = [len(each) // RECORD.itemsize for each in PackedDay.objects.values_list("records", flat=True)]
    return sum(sizes) // 2


@contextmanager
def another() -> Iterator[psycopg.Connection]:
    given = connection.get_connection_params()
    named = {name: given[name] for name in ("dbname", "user", "host", "port", "password") if given.get(name)}
    with psycopg.connect(**named) as other:
        yield other


@pytest.mark.slow
def test_a_day_that_is_over_is_packed_once_and_searched_as_before_and_today_is_left() -> None:
    interactions_store(many(OVER), now=NOW)
    store([at(NOW), at(NOW - timedelta(hours=1), 2, 7)])
    before = found()
    assert sum(map(len, before.values())) > 1_000

    assert packing.pack(NOW) == [OVER.date()]

    assert found() == before
    assert Interaction.objects.count() == 2
    assert packed_records() == len(many(OVER).stored_form())
    assert packing.pack(NOW) == []


def test_a_packed_record_is_not_stored_again_and_one_that_differs_a_little_is() -> None:
    store([at(OVER), at(OVER, 2, 1), Record(5, 6, int(OVER.timestamp()), int(OVER.timestamp()), 0.0)])
    packing.pack(NOW)
    again = store([at(OVER), at(OVER, 2, 1), at(OVER, 3, 3), at(NOW)])
    assert (again.new, again.known) == (2, 2)
    second = int(OVER.timestamp())
    others = [
        Record(1, 2, second, second + 61, 1.0),
        Record(1, 2, second, second + 60, 1.01),
        Record(1, 2, second + 1, second + 61, 1.0),
        Record(5, 6, second, second, 0.0),
        Record(6, 5, second, second, 0.0),
    ]
    late = store(others)
    assert (late.new, late.known) == (4, 1)
    assert store(others).known == 5


@pytest.mark.slow
def test_late_records_come_along_when_they_are_many() -> None:
    interactions_store(many(OVER), now=NOW)
    packing.pack(NOW)
    store([at(OVER, 7, 8)])
    assert packing.pack(NOW) == []
    interactions_store(many(OVER, seed=3), now=NOW)
    before = found()
    assert packing.pack(NOW) == [OVER.date()]
    assert found() == before
    assert not Interaction.objects.exists()
    assert packed_records() == len(Records.joined([many(OVER), many(OVER, seed=3)]).stored_form()) + 1
    assert device_is_seen(7)
    assert not device_is_seen(1_000_000)


def test_a_contact_over_midnight_counts_from_the_moment_that_is_looked_back_to() -> None:
    midnight = OVER.replace(hour=0)
    store([Record(1, 2, int(midnight.timestamp()) - 100, int(midnight.timestamp()) + 60, 1.0)])
    packing.pack(NOW)
    (reached,) = search([Seed("case", 1, midnight)], until=NOW)["case"]
    assert (reached.onset, reached.seconds) == (midnight, 60)


def test_a_search_from_many_finds_what_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    interactions_store(many(OVER), now=NOW)
    before = found()
    packing.pack(NOW)
    monkeypatch.setattr("tracing.search.rows.MANY", 1)
    assert found() == before


def test_a_device_with_more_records_than_fit_on_a_page_is_packed_and_read_too() -> None:
    second = int(OVER.timestamp())
    store([Record(1, 2 + number, second, second + 60, 1.0) for number in range(5_000)])
    packing.pack(NOW)
    assert len(PackedDay.objects.get(device_id=1).records) == 5_000 * RECORD.itemsize
    assert [each.device_id for each in found()[1] if each.degree == 1] == list(range(2, 5_002))


def test_packed_days_are_dropped_with_the_others() -> None:
    store([at(OVER)])
    packing.pack(NOW)
    partitions.drop_old(OVER + timedelta(days=14))
    assert device_is_seen(1)
    assert partitions.drop_old(OVER + timedelta(days=15)) == [OVER.date()]
    assert not device_is_seen(1)
    assert partitions.existing(PACKED) == set()


def test_what_has_signals_stays_as_it_is(settings: Settings) -> None:
    second = np.array([int(OVER.timestamp())])
    one = np.array([1])
    interactions_store(Records(one, one + 1, second, one * 60, one, {"rssi": -60.0 * one}), now=NOW)
    assert packing.pack(NOW) == []
    assert Interaction.objects.get().rssi == -60


def test_a_day_that_an_upload_is_in_waits_for_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "LOCK_TIMEOUT", "SET LOCAL lock_timeout = '10ms'")
    store([at(OVER), at(OVER - timedelta(days=1))])
    with another() as other:
        other.execute(f"LOCK TABLE {RECORDS.name_of(OVER.date())} IN ROW EXCLUSIVE MODE")
        assert packing.pack(NOW) == [(OVER - timedelta(days=1)).date()]
    assert packing.pack(NOW) == [OVER.date()]


def pack_while(work: Callable[[], object], mode: str) -> None:
    """Pack OVER's day by hand, holding it locked until the work, in a thread of its own, waits for it."""

    def run() -> None:
        work()
        connection.close()

    names = {"records": RECORDS.name_of(OVER.date()), "packed": PACKED.name_of(OVER.date())}
    partitions.ensure([OVER.date()], PACKED)
    with another() as packer:
        packer.execute(f"LOCK TABLE {names['records']} IN {mode} MODE")
        thread = Thread(target=run)
        thread.start()
        while not packer.execute(WAITING, [names["records"]]).fetchall():
            assert thread.is_alive()
        given = {"day": OVER.date(), "start": partitions.start_of(OVER.date())}
        packer.execute(packing.PACK_SQL.format(**names), given)
        packer.execute("TRUNCATE {records}".format(**names))
        packer.commit()
        thread.join()


def test_an_upload_waits_while_its_day_is_packed_and_then_knows_the_record() -> None:
    store([at(OVER)])
    stored: list[Stored] = []
    pack_while(lambda: stored.append(store([at(OVER)])), "SHARE ROW EXCLUSIVE")
    assert stored == [Stored(new=0, known=1)]


def test_what_an_upload_brings_that_the_packing_has_waited_for_is_packed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packing, "LOCK_TIMEOUT", "SET LOCAL lock_timeout = '100s'")
    store([at(OVER)])
    days: list[object] = []

    def pack() -> None:
        days.append(packing.pack(NOW))
        connection.close()

    with another() as upload:
        table = RECORDS.name_of(OVER.date())
        upload.execute(f"INSERT INTO {table} VALUES (2, 7, %s, 60, 100)", [int(OVER.timestamp()) + 60])
        thread = Thread(target=pack)
        thread.start()
        while not upload.execute(WAITING, [table]).fetchall():
            assert thread.is_alive()
        upload.commit()
        thread.join()
    assert days == [[OVER.date()]]
    assert [each.device_id for each in found()[1]] == [2, 7]


def test_a_search_while_a_day_is_packed_misses_nothing_of_it() -> None:
    store([at(OVER)])
    seen: list[object] = []
    pack_while(lambda: seen.append(found()), "ACCESS EXCLUSIVE")
    assert seen == [found()]
    assert len(found()[1]) == 1


def test_an_import_packs_the_days_that_it_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracing.intake.files.PART_BYTES", 40_000)
    day = datetime.now(UTC).replace(hour=1) - timedelta(days=3)
    records = many(day, rows=2_000)
    store([at(day - timedelta(days=1))])
    columns = records.my_id, records.other_id, records.start_s, records.seconds
    lines = [",".join(map(str, row)) for row in np.stack(columns, axis=1).tolist()]
    file = tmp_path / "a.csv.gz"
    text = "\n".join(["my_id,other_id,timestamp_start,interval,distance", *(f"{line},1" for line in lines)])
    file.write_bytes(gzip.compress(text.encode()))

    call_command("import_interactions", str(file))

    # The day before, of which nothing was in the file, is left to the night.
    assert packed_records() == 2_000
    assert Interaction.objects.count() == 1
    call_command("import_interactions", str(file))
    assert packed_records() == 2_000
    assert packing.pack(datetime.now(UTC)) == [(day - timedelta(days=1)).date()]
