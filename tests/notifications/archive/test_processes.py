"""Writers as processes of their own: killed at any moment, and with a large month."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from accounts.models import Shop
from notifications.archive import verifying, writing
from notifications.archive.store import store
from notifications.history.month import Month
from notifications.ids import first_id
from notifications.models import ArchivedMonth, Delivery

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

AUGUST = Month.parse("2025-08")
WRITE = """
import sys
import django
from django.conf import settings

settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from django.core.management import call_command

def peak_kb():
    # Not getrusage: that begins with what the parent had when it forked.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

before = peak_kb()
call_command("archive", "write", "--month", sys.argv[2])
print(peak_kb() - before)
"""
# One alert for every thousand deliveries, all of August.
FILL = """
WITH told AS (
    INSERT INTO notifications_notification
           (id, shop_id, kind, title, body, texts, data, severity, source_type, source_id, dedup_key,
            created_at)
    SELECT (%(first)s || lpad(to_hex(number), 4, '0') || '-7000-8000-000000000000')::uuid,
           %(shop)s, 'alert', 'Theft', '', '{}', '{"label": "theft"}', 'critical', 'test', number, number,
           now()
      FROM generate_series(1, %(count)s / 1000) AS number
 RETURNING id
), made AS (
    INSERT INTO notifications_delivery
           (id, shop_id, notification_id, channel, address, language, status, reason, revocable, due_at,
            expires_at, created_at, sent_at, attempts, replays)
    SELECT (left(told.id::text, 14) || '8' || lpad(to_hex(number), 3, '0') || '-8'
            || left(md5(told.id::text || number), 3) || '-' || left(md5(number || told.id::text), 12))::uuid,
           %(shop)s, told.id, 'third_party', '', 'en', 'sent', '', false, now(), now(), now(), now(), 1, 0
      FROM told, generate_series(1, 1000) AS number
 RETURNING id
)
INSERT INTO notifications_attempt (delivery_id, number, started_at, duration_ms, outcome, error, reference)
SELECT id, 1, now(), 12.5, 'sent', '', '' FROM made
"""


@pytest.fixture
def many(shop: Shop) -> Callable[[int], None]:
    """So many deliveries of August 2025."""

    def build(count: int) -> None:
        first = str(first_id(datetime(2025, 8, 14, tzinfo=UTC)))[:9]
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"first": first, "shop": shop.pk, "count": count})
        assert Delivery.objects.count() == count

    return build


def start(archive: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "ARCHIVE_URL": str(archive)}
    command = [sys.executable, "-c", WRITE, connection.settings_dict["NAME"], str(AUGUST)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_web_process_starts_without_what_archives_need() -> None:
    program = (
        "import django, sys; django.setup(); import config.urls;"
        "print({'pyarrow', 'boto3', 'notifications.archive.proofs'} & set(sys.modules))"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'notifications.archive.proofs'}\n"


def test_killed_writer_leaves_no_half_month(archive: Path, many: Callable[[int], None]) -> None:
    many(30_000)
    chance = random.Random()
    for awaited in ("alerts.parquet", "deliveries.parquet", "tree.json"):
        writer = start(archive)
        while not (archive / "2025-08" / awaited).exists() and writer.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.02)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert writer.returncode == -signal.SIGKILL
        assert not (archive / "2025-08" / "manifest.json").exists()
        assert any("interrupted" in fault.what for fault in verifying.faults(store()))
    (made,) = writing.write_through(AUGUST)
    assert made.tree.leaves == 30_000
    assert list(verifying.faults(store())) == []


def test_writer_killed_before_the_database_knew_of_its_manifest(
    archive: Path, many: Callable[[int], None]
) -> None:
    many(2_000)
    writing.write_through(AUGUST)
    ArchivedMonth.objects.all().delete()  # the last thing that a writer does had not been done
    assert writing.write_through(AUGUST) == []
    assert ArchivedMonth.objects.count() == 1
    assert list(verifying.faults(store())) == []


def test_manifest_that_somebody_else_has_put_there_is_not_adopted(
    archive: Path, many: Callable[[int], None]
) -> None:
    many(2_000)
    writing.write_through(AUGUST)
    ArchivedMonth.objects.all().delete()
    Delivery.objects.update(status="failed")
    with pytest.raises(writing.ArchiveError, match="neither known to the database nor what it would write"):
        writing.write_through(AUGUST)


def test_two_writers_do_not_write_at_once(archive: Path, many: Callable[[int], None]) -> None:
    many(20_000)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [writing._LOCK])
        writer = start(archive)
        writer.communicate()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [writing._LOCK])
    assert writer.returncode
    assert not archive.exists()


@pytest.mark.timeout(600)
def test_month_with_200_000_deliveries_takes_little_memory(
    archive: Path, many: Callable[[int], None]
) -> None:
    many(200_000)
    writer = start(archive)
    output, _ = writer.communicate()
    assert writer.returncode == 0
    grown_kb = int(output.split()[-1])
    size = sum(each.stat().st_size for each in archive.rglob("*.*"))
    print(f"{grown_kb / 1024:.0f} MB, {size / 200_000:.0f} bytes a delivery")
    assert grown_kb < 200 * 1024
    manifest = json.loads((archive / "2025-08" / "manifest.json").read_text())
    assert manifest["tree"]["leaves"] == 200_000
    assert manifest["counts"] == [["sent", "", 200_000]]
