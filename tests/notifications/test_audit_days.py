"""The audit goes by day, remembers what is over and clean, and reads the archive too."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Shop, User
from notifications.archive import writing
from notifications.audit import Report, audit
from notifications.audit_days import SETTLED_AFTER
from notifications.history.month import Month
from notifications.models import (
    Alert,
    AttemptRow,
    AuditedDay,
    Delivery,
    DeliveryAction,
    Notification,
    Outgoing,
)
from tests.factories import AlertFactory, MembershipFactory, NotificationFactory, UserFactory
from tests.notifications.archive.conftest import delivered, drop, id_at

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 8, 14, 12, tzinfo=UTC)
A_DAY = timedelta(days=1)
NOW = NOON + 60 * A_DAY
LONG_AGO = NOON - 900 * A_DAY

Told = Callable[..., Delivery]


@pytest.fixture
def member(shop: Shop) -> User:
    user = UserFactory()
    MembershipFactory(shop=shop, user=user, joined_at=LONG_AGO)
    return user


@pytest.fixture
def told(shop: Shop, member: User) -> Told:
    """An alert of some time, told to the shop's one member at the second attempt."""

    def build(at: datetime, **fields: Any) -> Delivery:
        alert = AlertFactory(shop=shop, received_at=at, time_spotted=at, fanned_out_at=at)
        notification = NotificationFactory(
            id=id_at(at), source_id=str(alert.pk), shop=shop, severity="critical", created_at=at
        )
        return delivered(notification, member, at, **fields)

    return build


def remembering(**options: Any) -> Report:
    return audit(**{"now": NOW, "remember": True, **options})


def days() -> list[date]:
    return list(AuditedDay.objects.values_list("day", flat=True))


# --- What is remembered ---------------------------------------------------------------------------------


def test_clean_days_are_remembered_and_still_counted(told: Told) -> None:
    for number in range(5):
        told(NOON + number * A_DAY)
    first = remembering()
    assert first.totals == {}
    assert days() == [(NOON + number * A_DAY).date() for number in range(5)]
    told(NOW)
    second = remembering()
    assert (first.alerts, first.deliveries, first.days_known) == (5, 5, 0)
    assert (second.alerts, second.deliveries, second.days_known) == (6, 6, 5)
    assert [(each.status, each.count) for each in second.counts] == [("sent", 6)]


def test_what_is_remembered_is_not_looked_at_again_unless_asked(told: Told) -> None:
    delivery = told(NOON)
    remembering()
    AttemptRow.objects.filter(delivery=delivery).delete()
    assert remembering().totals == {}
    assert set(remembering(anew=True).totals) == {"sent_without_attempt"}
    assert days() == []
    assert set(remembering().totals) == {"sent_without_attempt"}


def test_audit_that_does_not_remember_looks_at_everything(told: Told) -> None:
    delivery = told(NOON)
    remembering()
    AttemptRow.objects.filter(delivery=delivery).delete()
    assert set(audit(now=NOW).totals) == {"sent_without_attempt"}


@pytest.mark.parametrize("at", [NOW, NOW - SETTLED_AFTER + timedelta(minutes=1)])
def test_day_that_is_hardly_over_is_not_remembered(told: Told, at: datetime) -> None:
    told(at)
    assert remembering().totals == {}
    assert days() == []


def test_day_with_something_to_be_done_is_not_remembered(told: Told) -> None:
    pending(told(NOON))
    assert remembering(now=NOW).totals == {}
    assert days() == []


def pending(delivery: Delivery) -> None:
    AttemptRow.objects.filter(delivery=delivery).delete()
    Delivery.objects.filter(pk=delivery.pk).update(status="pending", attempts=0)
    delivery.refresh_from_db()
    Outgoing.objects.create(delivery=delivery, lane="x", due_at=NOW + A_DAY, expires_at=NOW + A_DAY)


def test_replayed_delivery_has_its_day_looked_at_again(told: Told) -> None:
    delivery = told(NOON)
    told(NOON + A_DAY)
    remembering()
    pending(delivery)
    report = remembering()
    assert report.days_known == 1
    assert {(each.status, each.count) for each in report.counts} == {("pending", 1), ("sent", 1)}
    assert days() == [(NOON + A_DAY).date()]


def test_day_of_a_replay_that_has_ended_again_is_looked_at_once_more(told: Told) -> None:
    delivery = told(NOON)
    told(NOON + A_DAY)
    remembering()
    noted(count=1, deliveries=[delivery.pk])
    AttemptRow.objects.filter(delivery=delivery).delete()
    assert set(remembering().totals) == {"sent_without_attempt"}


def test_action_on_more_than_it_names_has_every_day_looked_at_again(told: Told) -> None:
    told(NOON)
    remembering()
    noted(count=1001, deliveries=[id_at(NOW)])
    assert remembering(now=NOW + timedelta(minutes=2)).days_known == 0
    assert remembering(now=NOW + timedelta(minutes=3)).days_known == 1


def noted(**fields: Any) -> None:
    at = NOW + timedelta(minutes=1)
    DeliveryAction.objects.create(action="replay", by="op", via="api", at=at, **fields)


def test_nothing_is_remembered_where_nothing_can_be_written(told: Told) -> None:
    told(NOON)
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT before; SET LOCAL transaction_read_only = on")
        report = remembering()
        cursor.execute("ROLLBACK TO before")
    assert (report.deliveries, report.totals) == (1, {})
    assert days() == []


# --- What is seen ---------------------------------------------------------------------------------------


def test_days_can_be_chosen(told: Told) -> None:
    for number in range(5):
        AttemptRow.objects.filter(delivery=told(NOON + number * A_DAY)).delete()
    first, last = (NOON + A_DAY).date(), (NOON + 3 * A_DAY).date()
    assert audit(now=NOW, since=first, until=last).totals == {"sent_without_attempt": 2}
    assert audit(now=NOW, since=first).totals == {"sent_without_attempt": 4}
    assert audit(now=NOW, until=last).totals == {"sent_without_attempt": 3}
    assert audit(now=NOW, since=first, until=last).alerts == 2


@pytest.mark.parametrize("at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 7, 1, tzinfo=UTC)])
def test_what_lies_far_off_is_seen(told: Told, at: datetime) -> None:
    told(NOON)
    far = told(at)
    AttemptRow.objects.filter(delivery=far).delete()
    report = audit(now=NOW)
    assert (report.deliveries, report.totals["sent_without_attempt"]) == (2, 1)


def test_delivery_of_another_time_than_its_alert_is_not_missing(told: Told) -> None:
    delivery = told(NOON)
    elsewhere = id_at(NOON - 300 * A_DAY)
    AttemptRow.objects.filter(delivery_id=delivery.pk).update(delivery_id=elsewhere)
    Delivery.objects.filter(pk=delivery.pk).update(id=elsewhere)
    assert audit(now=NOW).totals == {}


def test_deliveries_of_an_alert_just_after_midnight_may_be_of_the_day_before(told: Told) -> None:
    midnight = NOON.replace(hour=0)
    delivery = told(midnight - timedelta(minutes=20))
    alerts = Alert.objects.filter(pk=delivery.notification.source_id)
    alerts.update(received_at=midnight + timedelta(minutes=20))
    assert remembering().totals == {}
    assert len(days()) == 2
    AttemptRow.objects.all().delete()
    Delivery.objects.all().delete()
    assert audit(now=NOW).totals == {"missing": 1}


def test_alert_that_is_told_again_days_later_is_found(told: Told) -> None:
    notification = told(NOON).notification
    remembering()
    again = NOON + 10 * A_DAY
    Notification.objects.create(
        id=id_at(again),
        kind="alert",
        source_type="alert",
        source_id=notification.source_id,
        dedup_key="again",
    )
    assert remembering().totals == {"told_twice": 1}


def test_gaps_are_shown_up_to_the_limit_and_counted_over_all_days(told: Told) -> None:
    for number in range(5):
        AttemptRow.objects.filter(delivery=told(NOON + number * A_DAY)).delete()
    report = audit(now=NOW, limit=3)
    assert (len(report.gaps), report.gap_count) == (3, 5)


@pytest.mark.django_db(transaction=True)
def test_each_day_has_a_snapshot_of_its_own(told: Told) -> None:
    for number in range(4):
        told(NOON + number * A_DAY)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert remembering().totals == {}
    begun = [each["sql"] for each in queries if "REPEATABLE READ" in each["sql"]]
    assert len(begun) == 4
    assert not connection.in_atomic_block


# --- What has left the tables ---------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path, settings: Settings) -> Path:
    settings.ARCHIVE_URL = str(tmp_path)
    return tmp_path


@pytest.fixture
def dropped(archive: Path, told: Told) -> Iterator[Path]:
    """An archive of July and August, which are not in the tables any more; September is."""
    for at in (NOON - 30 * A_DAY, NOON, NOON + A_DAY, NOON + 25 * A_DAY):
        told(at)
    remembering()
    writing.write_through(Month.parse("2025-08"))
    drop(datetime(2025, 9, 1, tzinfo=UTC))
    return archive


@pytest.mark.slow
def test_months_that_were_dropped_still_count(dropped: Path) -> None:
    assert Delivery.objects.count() == 1
    for report in (remembering(), remembering(anew=True), audit(now=NOW)):
        assert (report.alerts, report.deliveries, report.totals) == (4, 4, {})
        assert report.months_archived == 2
    assert days() == [(NOON + 25 * A_DAY).date()]


@pytest.mark.slow
def test_months_count_when_nothing_is_left_in_the_tables(dropped: Path) -> None:
    drop(NOW)
    report = remembering()
    assert (report.alerts, report.deliveries, report.totals) == (3, 3, {})


def test_month_in_tables_and_archive_counts_once(archive: Path, told: Told) -> None:
    told(NOON)
    writing.write_through(Month.parse("2025-08"))
    report = audit(now=NOW)
    assert (report.alerts, report.deliveries, report.months_archived) == (1, 1, 0)


def changed(path: Path) -> None:
    path.write_text(path.read_text().replace('"alerts": 2', '"alerts": 3'))


@pytest.mark.slow
@pytest.mark.parametrize("fault", [changed, Path.unlink])
def test_month_that_the_archive_has_lost_is_a_gap(dropped: Path, fault: Callable[[Path], object]) -> None:
    fault(dropped / "2025-08" / "manifest.json")
    report = remembering()
    assert report.totals == {"archive_disagrees": 1}
    assert [gap.month for gap in report.gaps] == ["2025-08"]


def test_archive_that_is_not_set_any_more_is_a_gap(dropped: Path, settings: Settings) -> None:
    settings.ARCHIVE_URL = ""
    assert remembering().totals == {"archive_disagrees": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("since", "until", "counted"),
    [
        ("2025-07-01", "2025-09-01", 3),
        ("2025-08-01", "2025-10-01", 3),
        ("2025-06-15", "2025-08-01", 1),
        ("2025-09-01", "2025-10-01", 1),
    ],
)
def test_whole_months_of_the_archive_count_among_chosen_days(
    dropped: Path, since: str, until: str, counted: int
) -> None:
    said = f"{counted} alerts, {counted} deliveries, 0 gaps"
    assert said in run("--since", since, "--until", until)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "months"),
    [
        (("--since", "2025-08-14"), "2025-08,"),
        (("--until", "2025-08-31"), "2025-08,"),
        (("--since", "2025-07-14", "--until", "2025-08-15"), "2025-07, 2025-08,"),
    ],
)
def test_days_in_the_middle_of_such_a_month_are_no_proof(
    dropped: Path, days: tuple[str, ...], months: str
) -> None:
    with pytest.raises(CommandError, match=f"Not looked at: {months}"):
        run(*days)


# --- The command ----------------------------------------------------------------------------------------


def test_command_remembers_and_looks_again_when_asked(told: Told) -> None:
    delivery = told(NOON)
    assert "1 alerts, 1 deliveries, 0 gaps" in run()
    assert "1 days were known to be clean" in run()
    AttemptRow.objects.filter(delivery=delivery).delete()
    assert "1 alerts, 1 deliveries, 0 gaps" in run()
    with pytest.raises(CommandError, match="1 gaps"):
        run("--since", "2025-08-14", "--until", "2025-08-15")
    with pytest.raises(CommandError, match="1 gaps"):
        run("--all")


@pytest.mark.parametrize("until", ["2025-08-13", "2025-08-14"])
def test_command_refuses_days_that_are_none(told: Told, until: str) -> None:
    told(NOON)
    with pytest.raises(CommandError, match="no day lies between"):
        run("--since", "2025-08-14", "--until", until)


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("audit_deliveries", *arguments, stdout=output)
    return output.getvalue()
