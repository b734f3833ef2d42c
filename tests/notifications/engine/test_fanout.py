"""Who is told of an alert, by which channel, and why the others are not."""

import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Membership, Shop, User
from notifications.engine.fanout import alert_fan_out, alerts, alerts_fan_out, fan_out_waiting
from notifications.models import Alert, Delivery, Notification, Outgoing
from notifications.selectors import deliveries_since
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    MembershipFactory,
    PreferenceFactory,
    UserFactory,
)


def told(alert: Alert) -> dict[str, tuple[str, str, str]]:
    """Fan out; return by email the delivery's (channel, status, reason)."""
    alert_fan_out(alert.pk)
    rows = Delivery.objects.select_related("user")
    return {row.user.email: (row.channel, row.status, row.reason) for row in rows if row.user}


def test_a_member_with_no_contact_point_is_told_through_the_third_party(owner: User, shop: Shop) -> None:
    assert told(AlertFactory(shop=shop)) == {owner.email: ("third_party", "pending", "")}


def test_only_the_shops_members_are_told(owner: User, stranger: User, shop: Shop) -> None:
    MembershipFactory(user=stranger)
    assert told(AlertFactory(shop=shop)).keys() == {owner.email}


@pytest.mark.parametrize(
    ("label", "level", "expected"),
    [
        ("theft", "STANDARD", ("pending", "")),
        ("suspicious", "STANDARD", ("pending", "")),
        ("normal", "STANDARD", ("pending", "")),
        ("theft", "CRITICAL", ("pending", "")),
        ("suspicious", "CRITICAL", ("suppressed", "level")),
        ("normal", "CRITICAL", ("suppressed", "level")),
    ],
)
def test_standard_hears_everything_and_critical_only_thefts(
    owner: User, shop: Shop, label: str, level: str, expected: tuple[str, str]
) -> None:
    PreferenceFactory(user=owner, level=level)
    assert told(AlertFactory(shop=shop, label=label))[owner.email][1:] == expected


def test_whoever_stated_no_preference_hears_everything(owner: User, shop: Shop) -> None:
    assert told(AlertFactory(shop=shop, label="normal"))[owner.email][1] == "pending"


def test_each_contact_point_has_a_delivery_of_its_own(owner: User, shop: Shop) -> None:
    ContactPointFactory(user=owner, address="https://one.example.com/")
    ContactPointFactory(user=owner, address="https://two.example.com/")
    alert_fan_out(AlertFactory(shop=shop).pk)
    assert set(Outgoing.objects.values_list("lane", "delivery__status")) == {
        ("https://one.example.com:443", "pending"),
        ("https://two.example.com:443", "pending"),
    }


def test_a_disabled_contact_point_is_suppressed_with_its_reason(owner: User, shop: Shop) -> None:
    ContactPointFactory(user=owner, is_enabled=False)
    assert told(AlertFactory(shop=shop)) == {owner.email: ("webhook", "suppressed", "disabled")}


def test_a_removed_contact_point_counts_as_none(owner: User, shop: Shop) -> None:
    ContactPointFactory(user=owner, deleted_at=timezone.now())
    assert told(AlertFactory(shop=shop))[owner.email][0] == "third_party"


def test_an_inbox_is_filled_by_the_fan_out_itself(owner: User, shop: Shop) -> None:
    ContactPointFactory(user=owner, channel="inbox", address="")
    assert told(AlertFactory(shop=shop)) == {owner.email: ("inbox", "sent", "")}
    assert Delivery.objects.get().sent_at is not None


def test_who_has_left_or_is_inactive_or_joins_later_is_no_member(shop: Shop) -> None:
    now = timezone.now()
    MembershipFactory(shop=shop, left_at=now - timedelta(days=1))
    MembershipFactory(shop=shop, user=UserFactory(is_active=False))
    alert = AlertFactory(shop=shop)
    MembershipFactory(shop=shop, joined_at=timezone.now())
    assert told(alert) == {}
    alert.refresh_from_db()
    assert alert.fanned_out_at is not None


def test_running_it_again_makes_nothing_twice(owner: User, teammate: User, shop: Shop) -> None:
    alert = AlertFactory(shop=shop)
    for _ in range(3):
        alert_fan_out(alert.pk)
        Alert.objects.update(fanned_out_at=None, fanned_out_to=None)
    assert Delivery.objects.count() == 2
    assert Notification.objects.count() == 1


def test_a_crash_between_two_chunks_is_made_good(shop: Shop, settings: Settings) -> None:
    settings.FANOUT_CHUNK = 3
    MembershipFactory.create_batch(8, shop=shop)
    alert = AlertFactory(shop=shop)
    alert_fan_out(alert.pk)
    everyone = Counter(Delivery.objects.values_list("user", flat=True))
    Delivery.objects.filter(user__in=list(everyone)[:4]).delete()
    Alert.objects.update(fanned_out_at=None, fanned_out_to=None)
    alert_fan_out(alert.pk)
    assert Counter(Delivery.objects.values_list("user", flat=True)) == everyone
    assert set(everyone.values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("members", [0, 1, 5, 6, 7, 12])
def test_chunks_tell_everyone_once_whatever_their_number(
    shop: Shop, settings: Settings, members: int
) -> None:
    settings.FANOUT_CHUNK = 6
    MembershipFactory.create_batch(members, shop=shop)
    alert_fan_out(AlertFactory(shop=shop).pk)
    assert Delivery.objects.values("user").distinct().count() == Delivery.objects.count() == members


@pytest.mark.slow
def test_the_first_of_many_are_told_while_the_rest_is_being_written(shop: Shop) -> None:
    emails = [f"member-{number}@example.com" for number in range(alerts.FIRST_CHUNK + 5)]
    User.objects.bulk_create(User(email=email, password="!") for email in emails)
    members = User.objects.filter(email__in=emails).values_list("uuid", flat=True)
    Membership.objects.bulk_create(Membership(shop=shop, user_id=user) for user in members)
    AlertFactory(shop=shop)
    assert fan_out_waiting()
    assert Delivery.objects.count() == alerts.FIRST_CHUNK
    assert not fan_out_waiting()
    assert Delivery.objects.values("user").distinct().count() == Delivery.objects.count() == len(emails)


def test_one_that_was_told_before_keeps_nobody_from_being_told(
    owner: User, teammate: User, shop: Shop
) -> None:
    before, alert = AlertFactory(shop=shop), AlertFactory(shop=shop)
    alert_fan_out(before.pk)
    Delivery.objects.filter(user=owner).delete()
    Alert.objects.update(fanned_out_at=None, fanned_out_to=None)
    alerts_fan_out()
    per_alert = Delivery.objects.values_list("notification__source_id", "user")
    assert Counter(per_alert) == {(str(a.pk), u.pk): 1 for a in (before, alert) for u in (owner, teammate)}


@pytest.fixture
def poison(transactional_db: None, owner: User, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Alert:
    """The oldest alert that waits, which nothing can be made of: Python has no such time."""
    monkeypatch.setattr(alerts, "_apart", {})
    alert = AlertFactory(shop=shop)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notifications_alert SET time_spotted = 'infinity'")
    return alert


def fan_out_failures(caplog: pytest.LogCaptureFixture) -> list[object]:
    messages = [record.msg for record in caplog.records]
    return [msg for msg in messages if isinstance(msg, dict) and msg["event"] == "fan_out_failed"]


def test_an_alert_that_cannot_be_fanned_out_holds_up_no_other_and_is_set_apart(
    poison: Alert, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    AlertFactory(shop=shop)
    alerts_fan_out()
    assert Delivery.objects.count() == 1
    assert fan_out_failures(caplog)
    caplog.clear()
    for _ in range(3):
        AlertFactory(shop=shop)
        alerts_fan_out()
    assert Delivery.objects.count() == 4
    assert not fan_out_failures(caplog)


def test_an_alert_that_was_set_apart_is_tried_again_after_a_while(
    poison: Alert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "APART_FOR_S", 0.0)
    alerts_fan_out()
    assert not Delivery.objects.exists()
    Alert.objects.update(time_spotted=timezone.now())
    alerts_fan_out()
    assert Delivery.objects.count() == 1


def test_a_database_that_takes_nothing_sets_no_alert_apart(
    transactional_db: None, owner: User, shop: Shop
) -> None:
    AlertFactory(shop=shop)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")  # as a standby, or a demoted primary
        alerts_fan_out()
        assert not Delivery.objects.exists()
        cursor.execute("SET default_transaction_read_only = off")
    alerts_fan_out()
    assert Delivery.objects.count() == 1


@pytest.mark.slow
def test_two_at_once_tell_everyone_once(transactional_db: None, shop: Shop) -> None:
    MembershipFactory.create_batch(50, shop=shop)
    alert = AlertFactory(shop=shop)
    barrier = threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        alert_fan_out(alert.pk)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Delivery.objects.count() == 50
    alert.refresh_from_db()
    assert alert.fanned_out_at is not None


@pytest.mark.slow
def test_its_cost_in_statements_does_not_depend_on_the_number_of_members(
    shop: Shop, asked: list[str]
) -> None:
    alert_fan_out(AlertFactory(shop=shop).pk)  # reads the texts, which are kept for a while
    MembershipFactory.create_batch(40, shop=shop)
    small = AlertFactory(shop=shop)
    asked.clear()
    alert_fan_out(small.pk)
    few = list(asked)
    MembershipFactory.create_batch(40, shop=shop)
    large = AlertFactory(shop=shop)
    asked.clear()
    alert_fan_out(large.pk)
    assert (len(few), len(asked)) == (5, 6), "beyond a small one, progress is noted"
    assert Delivery.objects.filter(notification__source_id=str(large.pk)).count() == 80


def test_the_third_party_gets_the_location_as_the_sender_named_it(owner: User, shop: Shop) -> None:
    alert_fan_out(AlertFactory(shop=shop, location="Auchan La Rochelle").pk)
    data = Notification.objects.get().data
    assert data["location"] == "Auchan La Rochelle"
    assert uuid.UUID(data["alert_uuid"])


def test_a_fan_out_that_a_crash_undid_gives_the_same_ids_again(
    owner: User, teammate: User, shop: Shop
) -> None:
    ContactPointFactory(user=owner)
    ContactPointFactory(user=owner)
    alert = AlertFactory(shop=shop)
    alert_fan_out(alert.pk)
    before = set(Delivery.objects.values_list("pk", flat=True))
    Notification.objects.all().delete()
    Alert.objects.update(fanned_out_at=None, fanned_out_to=None)
    alert_fan_out(alert.pk)
    assert set(Delivery.objects.values_list("pk", flat=True)) == before
    assert len(before) == 3
    assert {pk.version for pk in before} == {8}


def test_the_ids_of_two_alerts_differ(owner: User, shop: Shop) -> None:
    now = timezone.now()
    for _ in range(2):
        alert_fan_out(AlertFactory(shop=shop, received_at=now).pk)
    assert Delivery.objects.count() == 2


def test_an_alert_that_a_crash_undid_before_it_was_answered_gives_the_same_ids_again(
    owner: User, teammate: User, shop: Shop
) -> None:
    alert = AlertFactory(shop=shop)
    alert_fan_out(alert.pk)
    first = set(Delivery.objects.values_list("pk", flat=True))
    Notification.objects.all().delete()
    Alert.objects.all().delete()
    # As its sender posts it again: the same but for the time of its arrival.
    alert = AlertFactory(
        alert_uuid=alert.alert_uuid,
        shop=shop,
        time_spotted=alert.time_spotted,
        received_at=alert.received_at + timedelta(seconds=30),
    )
    alert_fan_out(alert.pk)
    assert set(Delivery.objects.values_list("pk", flat=True)) == first
    assert len(first) == 2


# What cameras say of the time, by how much they are off.
CLOCKS = {
    "right": timedelta(),
    "slow": timedelta(minutes=-50),
    "of yesterday": timedelta(days=-1),
    "restarted": timedelta(days=-365 * 50),
    "fast": timedelta(seconds=3),
    "far ahead": timedelta(days=365 * 50),
}


@pytest.mark.parametrize("off", CLOCKS.values(), ids=CLOCKS)
def test_an_id_begins_with_a_time_near_the_alerts_arrival(owner: User, shop: Shop, off: timedelta) -> None:
    arrived = timezone.now()
    alert_fan_out(AlertFactory(shop=shop, received_at=arrived, time_spotted=arrived + off).pk)
    at = datetime.fromtimestamp((Delivery.objects.get().pk.int >> 80) / 1000, UTC)
    assert arrived - timedelta(hours=1, milliseconds=1) <= at <= arrived + timedelta(minutes=1)


@pytest.mark.slow
@pytest.mark.parametrize("off", CLOCKS.values(), ids=CLOCKS)
def test_an_alert_that_is_posted_again_after_a_crash_has_the_same_ids_whatever_the_cameras_clock_says(
    owner: User, shop: Shop, off: timedelta
) -> None:
    arrived = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
    ids, alert_uuid = set(), uuid.uuid4()
    owner.memberships.update(joined_at=arrived - timedelta(days=1))
    for again_after in (timedelta(), timedelta(seconds=30)):
        alert = AlertFactory(
            alert_uuid=alert_uuid,
            shop=shop,
            time_spotted=arrived + off,
            received_at=arrived + again_after,
        )
        alert_fan_out(alert.pk)
        ids.add(Delivery.objects.get().pk)
        Notification.objects.all().delete()
        Alert.objects.all().delete()
    assert len(ids) == 1


def test_lists_and_figures_go_by_the_arrival_of_alerts_and_not_by_their_cameras_clocks(
    owner: User, shop: Shop
) -> None:
    now = timezone.now()
    owner.memberships.update(joined_at=now - timedelta(days=9))
    arrivals = {
        "restarted": now,
        "right": now - timedelta(hours=2),
        "of yesterday": now - timedelta(hours=4),
        "far ahead": now - timedelta(hours=30),
    }
    for clock, arrived in arrivals.items():
        spotted = arrived + CLOCKS[clock]
        alert_fan_out(AlertFactory(shop=shop, url=clock, received_at=arrived, time_spotted=spotted).pk)
    newest_first = Delivery.objects.select_related("notification")
    assert [each.notification.data["url"] for each in newest_first] == list(arrivals)
    recent = deliveries_since(now - timedelta(days=1)).select_related("notification")
    assert [each.notification.data["url"] for each in recent] == list(arrivals)[:3]
