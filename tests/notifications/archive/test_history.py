"""A person's history: from tables and archive alike, in the order of time, each delivery once."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.models import User
from notifications.archive import writing
from notifications.history.month import Month
from notifications.models import Delivery
from tests.notifications.archive.conftest import AUGUST, NOVEMBER, SEPTEMBER, drop

pytestmark = pytest.mark.django_db


def listed(person: object, **options: Any) -> list[dict[str, Any]]:
    output = StringIO()
    call_command("history", person=str(person), format="json", stdout=output, **options)
    return json.loads(output.getvalue())


@pytest.mark.slow
@pytest.mark.parametrize("dropped", [AUGUST, SEPTEMBER, Month.of(NOVEMBER).start, Month.of(NOVEMBER).end])
def test_it_is_the_same_wherever_the_rows_lie(
    archive: Path, history: list[Delivery], owner: User, teammate: User, dropped: datetime
) -> None:
    before = {person.pk: listed(person.email) for person in (owner, teammate)}
    assert [len(each) for each in before.values()] == [3, 3]
    writing.write_through(Month.parse("2025-11"))
    drop(dropped)
    after = {person.pk: listed(person.pk) for person in (owner, teammate)}
    for rows in (*before.values(), *after.values()):
        assert rows == sorted(rows, key=lambda row: row["at"])
        for row in rows:
            row.pop("archived")
    assert after == before


@pytest.mark.slow
def test_it_says_what_is_from_the_archive(archive: Path, history: list[Delivery], owner: User) -> None:
    writing.write_through(Month.parse("2025-09"))
    drop(datetime(2025, 9, 1, tzinfo=UTC))
    assert [row["archived"] for row in listed(owner.email)] == [True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("since", "until", "months"),
    [
        (None, None, ["2025-08", "2025-09", "2025-11"]),
        ("2025-09-01", None, ["2025-09", "2025-11"]),
        (None, "2025-09-01", ["2025-08"]),
        ("2025-08-14T10:30:00", "2025-08-14T10:30:01", ["2025-08"]),
        ("2025-08-14T10:30:01", "2025-09-03T08:00:00", []),
    ],
)
def test_it_is_cut_by_time(
    archive: Path,
    history: list[Delivery],
    owner: User,
    since: str | None,
    until: str | None,
    months: list[str],
) -> None:
    writing.write_through(Month.parse("2025-09"))
    drop(datetime(2025, 10, 1, tzinfo=UTC))
    cut = {name: value for name, value in {"since": since, "until": until}.items() if value}
    output = StringIO()
    arguments = [f"--{name}={value}" for name, value in cut.items()]
    call_command("history", f"--person={owner.email}", "--format=json", *arguments, stdout=output)
    assert [row["at"][:7] for row in json.loads(output.getvalue())] == months


@pytest.mark.slow
def test_table_says_why(archive: Path, history: list[Delivery], teammate: User) -> None:
    writing.write_through(Month.parse("2025-09"))
    drop(datetime(2025, 10, 1, tzinfo=UTC))
    output = StringIO()
    call_command("history", person=teammate.email, stdout=output)
    assert "suppressed" in output.getvalue()
    assert "Not told: prefers critical alerts only." in output.getvalue()
    assert "3 deliveries, 2 of them from the archive" in output.getvalue()


def test_unknown_person_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match=r"Nobody logs in as ghost@example\.com"):
        call_command("history", person="ghost@example.com")


def test_archive_that_can_not_be_read_is_an_error(
    archive: Path, history: list[Delivery], owner: User, settings: Settings
) -> None:
    writing.write_through(Month.parse("2025-08"))
    (archive / "2025-08" / "deliveries.parquet").write_bytes(b"PAR1")
    with pytest.raises(CommandError, match=r"2025-08/deliveries\.parquet"):
        call_command("history", person=owner.email)
