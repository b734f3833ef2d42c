"""Whatever is done to the archive is found, and named."""

import json
import random
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from notifications.archive import verifying, writing
from notifications.archive.store import store
from notifications.history.month import Month
from notifications.models import ArchivedMonth, Delivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def written(archive: Path, history: list[Delivery]) -> Path:
    """An archive of four months."""
    writing.write_through(Month.parse("2025-11"))
    return archive


def found() -> dict[str, str]:
    return {fault.where: fault.what for fault in verifying.faults(store())}


@pytest.mark.slow
def test_what_was_written_has_no_fault(written: Path) -> None:
    assert found() == {}


@pytest.mark.slow
def test_command_names_each_fault_and_fails(written: Path) -> None:
    (written / "2025-08" / "attempts.parquet").unlink()
    told = StringIO()
    with pytest.raises(CommandError, match="1 faults") as failure:
        call_command("archive", "verify", stderr=told)
    assert failure.value.returncode == 1
    assert told.getvalue() == "2025-08/attempts.parquet: it is missing\n"


@pytest.mark.slow
def test_command_says_what_it_has_read(written: Path) -> None:
    told = StringIO()
    call_command("archive", "verify", stdout=told)
    assert told.getvalue().startswith("The archive is as it was written: 4 manifests, 24 files; ")


def test_command_says_of_an_empty_archive_that_there_was_nothing_to_verify(archive: Path) -> None:
    told = StringIO()
    call_command("archive", "verify", stdout=told)
    assert told.getvalue() == "The archive is empty, and the database knows of nothing in it.\n"


@pytest.mark.slow
def test_flipped_bit_anywhere_is_found(written: Path) -> None:
    chance = random.Random(20250814)
    files = sorted(each for each in written.rglob("*") if each.is_file())
    assert len(files) == 4 * 7
    for path in files:
        whole = path.read_bytes()
        for offset in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(6))}:
            changed = bytearray(whole)
            changed[offset] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            assert path.relative_to(written).as_posix() in found(), (path, offset)
        path.write_bytes(whole)
    assert found() == {}


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


@pytest.mark.slow
@pytest.mark.parametrize("change", [Path.unlink, cut_short, longer])
def test_file_that_is_lost_or_of_another_length_is_found(
    written: Path, change: Callable[[Path], object]
) -> None:
    for path in [each for each in written.rglob("*") if each.is_file()]:
        whole = path.read_bytes()
        change(path)
        assert path.relative_to(written).as_posix() in found(), path
        path.write_bytes(whole)


def test_file_that_nobody_wrote_is_found(written: Path) -> None:
    for name in ("notes.txt", "2025-09/deliveries2.parquet", "2025-09/manifest.json.part"):
        (written / name).write_text("x")
    assert set(found()) == {"notes.txt", "2025-09/deliveries2.parquet", "2025-09/manifest.json.part"}


def test_files_that_changed_places_are_found(written: Path) -> None:
    august, november = written / "2025-08", written / "2025-11"
    for name in ("deliveries.parquet", "attempts.parquet"):
        swap(august / name, november / name)
    assert {name.partition("/")[0] for name in found()} == {"2025-08", "2025-11"}


@pytest.mark.slow
def test_months_that_changed_places_are_found(written: Path) -> None:
    swap(written / "2025-08", written / "2025-11")
    assert {"2025-08/manifest.json", "2025-11/manifest.json"} <= set(found())


def swap(one: Path, other: Path) -> None:
    beside = one.with_name("aside")
    one.rename(beside)
    other.rename(one)
    beside.rename(other)


def test_month_that_is_missing_is_found_also_if_it_is_the_last(written: Path) -> None:
    shutil.rmtree(written / "2025-11")
    assert set(found()) == {"2025-11/manifest.json"}
    shutil.rmtree(written / "2025-09")
    assert "the chain has a gap: 2025-09 was expected" in found()["2025-10/manifest.json"]


@pytest.mark.slow
def test_archive_that_was_rewritten_as_a_whole_is_found(written: Path) -> None:
    shutil.rmtree(written)
    ours = list(ArchivedMonth.objects.all())
    ArchivedMonth.objects.all().delete()
    Delivery.objects.update(status="failed")
    writing.write_through(Month.parse("2025-11"))
    ArchivedMonth.objects.all().delete()
    ArchivedMonth.objects.bulk_create(ours)
    assert found()["2025-08/manifest.json"] == "it is not the manifest that was written"


@pytest.mark.slow
def test_manifest_that_the_database_does_not_know_is_found(written: Path) -> None:
    ArchivedMonth.objects.filter(number=4).delete()
    assert found() == {"2025-11/manifest.json": "the database knows of no such manifest"}


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 2}'])
def test_what_is_no_manifest_is_found(written: Path, text: str) -> None:
    (written / "2025-11" / "manifest.json").write_text(text)
    assert found()["2025-11/manifest.json"]


def test_rows_are_read_back_before_a_month_counts_as_written(written: Path) -> None:
    of = writing.manifest.chain(store())[0]
    verifying.read_back(store(), of)
    text = json.loads((written / "2025-08" / "manifest.json").read_text())
    text["files"][2]["content"] = text["files"][0]["content"]
    changed = writing.Manifest.load(json.dumps(text).encode())
    with pytest.raises(verifying.ArchiveError, match=r"deliveries\.parquet: its rows are not those"):
        verifying.read_back(store(), changed)
