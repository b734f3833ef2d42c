"""Months are written whole, once, and as they are."""

import ast
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from accounts.models import User
from notifications.archive import writing
from notifications.archive.faults import ArchiveError
from notifications.archive.tables import TABLES
from notifications.history.month import Month
from notifications.models import ArchivedMonth, Delivery, Outgoing
from tests.notifications.archive.conftest import AUGUST, NOVEMBER, SEPTEMBER, Told, drop

pytestmark = pytest.mark.django_db

# What is of use while something is to be done, and says nothing afterwards.
LEFT_OUT = {
    # With which alert one is grouped is in what is told of it.
    "notifications_alert": {"fanned_out_to", "grouped_with"},
    # Archived as the attempt that they are of.
    "notifications_delivery": {"duration_ms", "status_code"},
}


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("archive", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def manifest_of(archive: Path, folder: str) -> dict:
    return json.loads((archive / folder / "manifest.json").read_text())


@pytest.mark.slow
def test_every_month_up_to_the_last_is_written(archive: Path, history: list[Delivery]) -> None:
    run("write", "--month", "2025-11")
    folders = sorted(each.name for each in archive.iterdir())
    assert folders == ["2025-08", "2025-09", "2025-10", "2025-11"]
    files = {folder: manifest_of(archive, folder)["files"] for folder in folders}
    rows = {
        folder: {each["name"].partition(".")[0]: each["rows"] for each in files[folder]} for folder in folders
    }
    assert rows["2025-08"] == {
        "alerts": 1, "notifications": 1, "deliveries": 2, "attempts": 4, "actions": 0, "tree": 1,
    }  # fmt: skip
    assert rows["2025-09"] == {
        "alerts": 3, "notifications": 2, "deliveries": 2, "attempts": 2, "actions": 1, "tree": 1,
    }  # fmt: skip
    assert set(rows["2025-10"].values()) == {0}
    assert manifest_of(archive, "2025-09")["counts"] == [["sent", "", 1], ["suppressed", "level", 1]]
    ends = {each["name"].partition(".")[0]: (each["first"], each["last"]) for each in files["2025-08"]}
    ids = sorted(str(each.pk) for each in history)[:2]
    assert ends["deliveries"] == tuple(ids)
    assert ends["actions"] == (None, None)


@pytest.mark.slow
def test_each_manifest_names_the_hash_of_the_one_before(archive: Path, history: list[Delivery]) -> None:
    written = writing.write_through(Month.parse("2025-11"))
    assert [each.previous for each in written] == [None, *(each.sha256 for each in written[:-1])]
    assert [row.sha256 for row in ArchivedMonth.objects.all()] == [each.sha256 for each in written]


@pytest.mark.slow
def test_files_say_what_the_rows_say_to_any_reader(archive: Path, history: list[Delivery]) -> None:
    run("write", "--month", "2025-08")
    found = duckdb(
        "SELECT id, user_id, status, attempts, epoch_us(sent_at) FROM 'deliveries.parquet'", archive
    )
    delivery = history[0]
    sent_at = round(delivery.sent_at.timestamp() * 1_000_000)
    assert (str(delivery.pk), str(delivery.user_id), "sent", 2, sent_at) in found
    assert duckdb("SELECT data->>'location' FROM 'notifications.parquet'", archive) == [
        ("fr-auchan-larochelle",)
    ]


def duckdb(sql: str, archive: Path) -> list[tuple]:
    """Ask DuckDB, in a process of its own, about the files of August."""
    program = "import duckdb, sys; print(duckdb.sql(sys.argv[1]).fetchall())"
    command = [sys.executable, "-c", program, sql]
    done = subprocess.run(command, cwd=archive / "2025-08", capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout)


def test_alert_goes_with_the_month_of_its_deliveries(archive: Path, told: Told, owner: User) -> None:
    told(datetime(2025, 8, 31, 23, 50, tzinfo=UTC), owner)
    alerts = apps.get_model("notifications", "Alert").objects
    alerts.update(received_at=datetime(2025, 9, 1, 0, 5, tzinfo=UTC))
    run("write", "--month", "2025-09")
    assert [manifest_of(archive, folder)["alerts"] for folder in ("2025-08", "2025-09")] == [1, 0]


@pytest.mark.slow
def test_month_that_is_archived_is_not_written_again(archive: Path, history: list[Delivery]) -> None:
    run("write", "--month", "2025-09")
    before = {each: each.stat().st_mtime_ns for each in archive.rglob("*")}
    assert "Nothing to write" in run("write", "--month", "2025-09")
    assert "Nothing to write" in run("write", "--month", "2025-08")
    assert {each: each.stat().st_mtime_ns for each in archive.rglob("*")} == before


@pytest.mark.slow
def test_month_that_has_changed_since_gets_a_second_revision(archive: Path, history: list[Delivery]) -> None:
    run("write", "--month", "2025-11")
    Delivery.objects.filter(pk=history[2].pk).update(language="fr")
    run("write", "--month", "2025-09")
    made = manifest_of(archive, "2025-09.2")
    assert (made["number"], made["revision"], made["month"]) == (5, 2, "2025-09")
    assert (archive / "2025-09").is_dir()
    assert "as it was written" in run("verify")


def test_month_that_is_being_dropped_is_not_written_over(archive: Path, history: list[Delivery]) -> None:
    run("write", "--month", "2025-09")
    drop(SEPTEMBER + timedelta(hours=1))
    assert "Nothing to write" in run("write", "--month", "2025-09")
    drop(NOVEMBER - timedelta(days=1))
    assert "Nothing to write" in run("write", "--month", "2025-09")


def test_hook_writes_what_is_to_be_dropped(archive: Path, history: list[Delivery]) -> None:
    writing.keep(Month.parse("2025-08"))
    assert [each.name for each in archive.iterdir()] == ["2025-08"]


@pytest.mark.slow
def test_hook_leaves_a_month_that_was_archived_before(archive: Path, history: list[Delivery]) -> None:
    run("write", "--month", "2025-09")
    writing.keep(Month.parse("2025-08"))
    writing.keep(Month.parse("2025-09"))
    assert ArchivedMonth.objects.count() == 2


@pytest.mark.slow
def test_hook_writes_a_month_anew_that_has_changed_since(archive: Path, history: list[Delivery]) -> None:
    run("write", "--month", "2025-09")
    Delivery.objects.filter(pk=history[2].pk).update(status="failed", reason="undelivered")
    writing.keep(Month.parse("2025-09"))
    assert manifest_of(archive, "2025-09.2")["counts"][0] == ["failed", "undelivered", 1]


@pytest.mark.slow
@pytest.mark.parametrize("file", ["deliveries.parquet", "tree.json"])
def test_hook_fails_where_a_file_has_changed(archive: Path, history: list[Delivery], file: str) -> None:
    run("write", "--month", "2025-08")
    path = archive / "2025-08" / file
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArchiveError, match=file):
        writing.keep(Month.parse("2025-08"))


def test_hook_does_nothing_without_an_archive(history: list[Delivery]) -> None:
    writing.keep(Month.parse("2025-08"))
    assert not ArchivedMonth.objects.exists()


def test_hook_fails_where_the_archive_has_changed(archive: Path, history: list[Delivery]) -> None:
    run("write", "--month", "2025-08")
    path = archive / "2025-08" / "manifest.json"
    path.write_text(path.read_text().replace('"third_party"', '"x"') + " ")
    with pytest.raises(ArchiveError, match="not as it was written"):
        writing.keep(Month.parse("2025-09"))


def test_what_has_not_ended_is_not_archived(archive: Path, history: list[Delivery]) -> None:
    Outgoing.objects.create(delivery=history[0], lane="x", due_at=AUGUST, expires_at=AUGUST)
    with pytest.raises(CommandError, match="2025-08 has 1 deliveries that have not ended"):
        run("write", "--month", "2025-08")
    assert not archive.exists()


def test_month_that_is_not_over_is_refused(archive: Path, history: list[Delivery]) -> None:
    with pytest.raises(CommandError, match="is not over yet"):
        run("write", "--month", "2099-01")


def test_no_archive_is_refused(history: list[Delivery]) -> None:
    with pytest.raises(CommandError, match="ARCHIVE_URL is not set"):
        run("write", "--month", "2025-08")


@pytest.mark.parametrize(("month", "last"), [("2025-12", "2026-02"), (None, None)])
def test_due_is_what_the_retention_does_not_keep(
    month: str | None, last: str | None, settings: object
) -> None:
    settings.HISTORY_RETENTION_DAYS = 31 if last else 0  # type: ignore[attr-defined]
    due = writing.due(datetime(2026, 4, 2, tzinfo=UTC))
    assert (str(due) if due else None) == last


def test_every_column_is_archived() -> None:
    models = {model._meta.db_table: model for model in apps.get_app_config("notifications").get_models()}
    for table in TABLES:
        columns = {field.column for field in models[table.source]._meta.concrete_fields if field.column}
        assert set(table.names) == columns - LEFT_OUT.get(table.source, set()), table.source
