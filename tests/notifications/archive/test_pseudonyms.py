"""SPEC 11.4: what is archived can't be erased, so it names nobody; and an erasure leaves it as it was."""

from datetime import timedelta
from pathlib import Path

import pytest

from accounts.models import User
from config import clock
from notifications import audit
from notifications.archive import later, writing
from notifications.history.month import Month
from notifications.models import AttemptRow, Delivery, DeliveryAction
from tests.factories import NotificationFactory
from tests.leaving import EMAIL, NAMES, WORDS, client_of, erase, register
from tests.notifications.archive.conftest import AUGUST, delivered, id_at
from tests.notifications.archive.test_verifying import found


@pytest.fixture
def leaver(db: None) -> User:
    return register()


TABLES = ("alerts", "notifications", "deliveries", "attempts", "actions")


def archived(folder: Path, month: str) -> str:
    """All that the files of a month say."""
    rows = []
    for table in TABLES:
        with (folder / month / f"{table}.parquet").open("rb") as source:
            rows += later.parquet().pq.read_table(source).to_pylist()
    return repr(rows)


def a_month(leaver: User) -> list[Delivery]:
    telling = NotificationFactory(
        id=id_at(AUGUST),
        kind="student.created",
        source_type="event",
        created_at=AUGUST,
        title=f"Welcome, {NAMES[0]}!",
        texts={"fr": {"": [f"Bienvenue, {NAMES[0]}", ""]}},
        data={"to": EMAIL},
    )
    fire = NotificationFactory(
        id=id_at(AUGUST),
        kind="escalation",
        source_type="escalation",
        created_at=AUGUST,
        title="Fire",
    )
    made = [delivered(each, leaver, AUGUST, channel="email", address=EMAIL) for each in (telling, fire)]
    AttemptRow.objects.update(error=f"550 {EMAIL}: no mailbox")
    what = {"action": "replay", "via": "admin", "count": 1, "deliveries": [made[0].pk]}
    DeliveryAction.objects.create(id=id_at(AUGUST), at=AUGUST, by=EMAIL, **what)
    DeliveryAction.objects.create(id=id_at(AUGUST), at=AUGUST, by="somebody@gone.example", **what)
    return made


@pytest.mark.slow
def test_the_archive_names_people_by_their_ids_alone(archive: Path, leaver: User) -> None:
    deliveries = a_month(leaver)
    writing.write_through(Month.parse("2025-08"))
    said = archived(archive, "2025-08")
    assert [word for word in (*WORDS, "gone.example") if word in said] == []
    assert all(str(each.pk) in said for each in deliveries)
    assert f"person {leaver.pk}" in said
    assert "Fire" in said


@pytest.mark.slow
def test_an_erasure_leaves_archive_and_audit_as_they_were(archive: Path, leaver: User) -> None:
    a_month(leaver)
    writing.write_through(Month.parse("2025-08"))
    before = {each: each.read_bytes() for each in archive.rglob("*.*")}
    assert client_of(leaver).delete("/api/v1/users/me/").status_code == 204
    erase()
    writing.keep(Month.parse("2025-08"))
    assert {each: each.read_bytes() for each in archive.rglob("*.*")} == before
    assert found() == {}
    assert audit.audit(now=clock.now(), until=(AUGUST + timedelta(days=9)).date()).gap_count == 0
