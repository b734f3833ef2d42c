"""An alert's fan-out may begin before its commit is on disk; its answer may not."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.models.signals import post_save

from accounts.models import Shop
from config.exceptions import Conflict
from notifications.models import Alert
from notifications.services.alerts import alert_accept


def asked(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return str(cursor.fetchone()[0])


def accept(shop: Shop, alert_uuid: uuid.UUID, label: str = "theft") -> None:
    alert_accept(
        alert_uuid=alert_uuid,
        url="https://media.example.com/clip.mp4",
        location=shop.slug,
        label=label,
        time_spotted=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.django_db(transaction=True)
def test_an_accepted_alert_is_on_disk(shop: Shop) -> None:
    written: list[str] = []

    def note(**kwargs: object) -> None:
        written.append(asked("SELECT pg_current_wal_insert_lsn()"))

    post_save.connect(note, sender=Alert)
    try:
        accept(shop, uuid.uuid4())
    finally:
        post_save.disconnect(note, sender=Alert)
    assert asked(f"SELECT pg_current_wal_flush_lsn() >= '{written[0]}'::pg_lsn") == "True"


@pytest.mark.django_db(transaction=True)
def test_its_fan_out_does_not_wait_for_the_disk(shop: Shop) -> None:
    modes: list[str] = []

    def note(**kwargs: object) -> None:
        modes.append(asked("SHOW synchronous_commit"))

    post_save.connect(note, sender=Alert)
    try:
        accept(shop, uuid.uuid4())
    finally:
        post_save.disconnect(note, sender=Alert)
    assert modes == ["off"]


@pytest.mark.django_db(transaction=True)
def test_whatever_comes_after_it_is_waited_for_again(shop: Shop) -> None:
    same = uuid.uuid4()
    accept(shop, same)
    assert asked("SHOW synchronous_commit") == "on"
    with pytest.raises(Conflict):
        accept(shop, same, label="normal")
    assert asked("SHOW synchronous_commit") == "on"
