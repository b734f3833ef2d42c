"""An alert's fan-out may begin before its commit is on disk; its answer may not."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import environ
import psycopg
import pytest
from django.db import OperationalError, connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.models.signals import post_save

from accounts.models import Shop
from config import embedded
from config.embedded.instance import Instance
from config.rest.exceptions import Conflict
from notifications.models import Alert
from notifications.services import alerts
from notifications.services.alerts import Posted, alert_accept
from tests import templates
from tests.factories import ShopFactory


def asked(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return str(cursor.fetchone()[0])


def accept(shop: Shop, alert_uuid: uuid.UUID, label: str = "theft") -> None:
    posted = Posted(
        alert_uuid=alert_uuid,
        url="https://media.example.com/clip.mp4",
        location=shop.slug,
        label=label,
        time_spotted=datetime(2026, 1, 1, tzinfo=UTC),
    )
    alert_accept(posted=posted)


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
def test_whatever_comes_after_it_is_waited_for_again(shop: Shop) -> None:
    same = uuid.uuid4()
    accept(shop, same)
    assert asked("SHOW synchronous_commit") == "on"
    with pytest.raises(Conflict):
        accept(shop, same, label="normal")
    assert asked("SHOW synchronous_commit") == "on"


@pytest.fixture
def role_waits_for_local() -> Iterator[None]:
    """The operator has decided for this role, in this database, what commits wait for."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {name} SET synchronous_commit = 'local'")
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {name} RESET synchronous_commit")
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_what_the_role_waits_for_is_left_as_the_operator_has_set_it(
    role_waits_for_local: None, shop: Shop
) -> None:
    accept(shop, uuid.uuid4())
    assert asked("SHOW synchronous_commit") == "local"


@pytest.mark.django_db(transaction=True)
def test_where_the_wait_fails_whatever_comes_after_it_is_waited_for_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = f"{alerts._WAIT}, pg_cancel_backend(pg_backend_pid()), pg_sleep(60)"
    monkeypatch.setattr(alerts, "_WAIT", cancelled)
    with pytest.raises(OperationalError, match="cancel"):
        accept(shop, uuid.uuid4())
    assert asked("SHOW synchronous_commit") == "on"


@pytest.fixture
def without_its_standby(tmp_path: Path) -> Iterator[str]:
    """The URL of a PostgreSQL of the test's own, migrated, whose commits wait for a standby that is away."""
    templates.furnish(tmp_path)
    with (Instance.at(tmp_path).data / "postgresql.auto.conf").open("a") as file:
        file.write("synchronous_standby_names = 'away'\n")
    embedded.start_postgres(at=tmp_path)
    yield embedded.database_url(at=tmp_path)
    embedded.destroy(at=tmp_path)


@pytest.mark.slow
def test_an_alert_is_accepted_once_the_synchronous_standby_has_it_and_announced_before(
    transactional_db: None, without_its_standby: str
) -> None:
    announced: list[object] = []

    def note(instance: Alert, **kwargs: object) -> None:
        announced.append(instance.pk)

    there = {**connection.settings_dict, **environ.Env.db_url_config(without_its_standby)}
    shop = ShopFactory.build()

    def do(work: Callable[[], object], **options: str) -> None:
        of_this_thread = {**there, "OPTIONS": {**there["OPTIONS"], **options}}
        connections["default"] = DatabaseWrapper(of_this_thread, "default")
        try:
            work()
        finally:
            connection.close()

    with (
        psycopg.connect(without_its_standby, autocommit=True) as server,
        ThreadPoolExecutor(1) as thread,
    ):
        thread.submit(do, shop.save, options="-c synchronous_commit=local").result(60)
        post_save.connect(note, sender=Alert)
        accepting = thread.submit(do, lambda: accept(shop, uuid.uuid4()))
        try:
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            while not accepting.done() and server.execute(waits).fetchone() != (1,):
                time.sleep(0.01)
            assert not accepting.done()
            # The fan-out is asked for, and sees it already.
            assert len(announced) == 1
            assert server.execute("SELECT count(*) FROM notifications_alert").fetchone() == (1,)
        finally:
            post_save.disconnect(note, sender=Alert)
            server.execute("ALTER SYSTEM RESET synchronous_standby_names")
            server.execute("SELECT pg_reload_conf()")
        accepting.result(60)
