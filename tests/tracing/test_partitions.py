"""A day's records have a partition in time, and are gone with it when they are too old."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from config.slices import Run
from tests.tracing.storing import store
from tracing import jobs, partitions
from tracing.models import Intake, Interaction
from tracing.partitions import RECORDS
from tracing.reference import Record
from tracing.services.retention import intakes_expire

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(moment: datetime, my_id: int = 1) -> Record:
    second = int(moment.timestamp())
    return Record(my_id, 2, second, second + 60, 1.0)


def test_partitions_reach_from_the_look_back_to_some_days_ahead(settings: Settings) -> None:
    settings.TRACING_PARTITIONS_AHEAD_DAYS = 3
    partitions.make_ahead(NOW)
    partitions.make_ahead(NOW)
    days = partitions.existing()
    assert {NOW.date() + timedelta(days=each) for each in range(-14, 4)} <= days
    assert NOW.date() + timedelta(days=4) not in days


def test_records_of_a_day_without_a_partition_make_it() -> None:
    store([at(NOW)])
    assert NOW.date() in partitions.existing()
    assert Interaction.objects.count() == 1


def test_a_record_lives_as_long_as_the_look_back_and_no_day_longer() -> None:
    store([at(NOW - timedelta(days=14), 3), at(NOW, 4)])
    assert partitions.drop_old(NOW) == []
    assert Interaction.objects.count() == 2

    assert partitions.drop_old(NOW + timedelta(days=1)) == [(NOW - timedelta(days=14)).date()]
    assert Interaction.objects.values_list("my_id", flat=True).get() == 4

    partitions.drop_old(NOW + timedelta(days=15))
    assert not Interaction.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [RECORDS.name_of(NOW.date())])
        assert cursor.fetchone() == (None,)


def test_the_hourly_jobs_drop_what_is_old_and_forget_its_uploads() -> None:
    now = datetime.now(UTC)
    store([at(now - timedelta(days=20)), at(now, 3)])
    Intake.objects.update(received_at=now - timedelta(days=16))
    store([at(now, 4)])
    jobs.partitions_keep()
    assert set(Interaction.objects.values_list("my_id", flat=True)) == {3, 4}
    assert intakes_expire(Run(now=now)) == 1
    assert Intake.objects.get().received_at > now - timedelta(days=1)


def test_the_hourly_job_makes_the_days_ahead() -> None:
    jobs.partitions_keep()
    assert datetime.now(UTC).date() + timedelta(days=1) in partitions.existing()


def test_partitions_have_the_constraint_and_the_index_of_their_parent() -> None:
    partitions.make_ahead(NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [RECORDS.name_of(NOW.date())])
        found = " ".join(definition for (definition,) in cursor.fetchall())
    assert "UNIQUE" in found
    assert "(my_id, other_id, start_s, seconds, distance_cm)" in found
    assert "(other_id)" in found
