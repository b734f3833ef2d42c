"""A shop that groups its alerts hears of the first of each label, until it has been quiet for a while."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Shop, User
from notifications.engine.fanout import alert_fan_out, alerts, alerts_fan_out, fan_out_arrived
from notifications.models import Alert, Delivery
from notifications.services.alerts import Posted, alert_accept
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    MembershipFactory,
    PreferenceFactory,
    ShopFactory,
)

pytestmark = pytest.mark.django_db

#: When everybody who is told has joined, however long the tests take.
NOW = timezone.now() + timedelta(minutes=30)


@pytest.fixture
def grouping(owner: User, shop: Shop) -> Shop:
    Shop.objects.update(group_alerts_s=60)
    return shop


def spotted(shop: Shop, after_s: float, **fields: object) -> Alert:
    return AlertFactory(shop=shop, received_at=NOW + timedelta(seconds=after_s), **fields)


def outcomes(*of: Alert) -> list[tuple[str, str]]:
    """What became of each; exactly one delivery of each alert."""
    rows = Delivery.objects.values_list("notification__source_id", "status", "reason")
    found = {source: (status, reason) for source, status, reason in rows}
    assert len(found) == len(rows)
    return [found[str(each.pk)] for each in of]


TOLD, GROUPED = ("pending", ""), ("suppressed", "grouped")


def test_people_are_told_of_the_first_and_the_others_are_kept_with_it(grouping: Shop) -> None:
    first, second, third = (spotted(grouping, after_s) for after_s in (0, 10, 65))
    alerts_fan_out()
    assert outcomes(first, second, third) == [TOLD, GROUPED, GROUPED]
    assert set(Alert.objects.values_list("grouped_with", flat=True)) == {first.pk}
    assert not Alert.objects.filter(fanned_out_at=None).exists()


def test_after_a_quiet_interval_the_next_one_is_told(grouping: Shop) -> None:
    first, second, later = (spotted(grouping, after_s) for after_s in (0, 59, 119))
    alerts_fan_out()
    assert outcomes(first, second, later) == [TOLD, GROUPED, TOLD]


def test_what_goes_on_is_told_again_after_the_repeat_interval(grouping: Shop) -> None:
    Shop.objects.update(repeat_alerts_s=100)
    every = [spotted(grouping, after_s) for after_s in (0, 50, 99, 100, 150)]
    alerts_fan_out()
    assert outcomes(*every) == [TOLD, GROUPED, GROUPED, TOLD, GROUPED]
    every[-1].refresh_from_db()
    assert every[-1].grouped_with == every[3].pk


def test_other_labels_and_other_shops_are_groups_of_their_own(grouping: Shop, owner: User) -> None:
    elsewhere = ShopFactory(group_alerts_s=60)
    MembershipFactory(shop=elsewhere, user=owner)
    of = [spotted(grouping, 0), spotted(grouping, 1, label="normal"), spotted(elsewhere, 2)]
    alerts_fan_out()
    assert outcomes(*of) == [TOLD, TOLD, TOLD]


def test_a_shop_that_does_not_group_hears_of_each(owner: User, shop: Shop) -> None:
    of = [spotted(shop, 0), spotted(shop, 1)]
    alerts_fan_out()
    assert outcomes(*of) == [TOLD, TOLD]
    assert set(Alert.objects.values_list("grouped_with", flat=True)) == {None}


def test_switching_it_off_ends_the_group(grouping: Shop) -> None:
    first = spotted(grouping, 0)
    alerts_fan_out()
    Shop.objects.update(group_alerts_s=0)
    second = spotted(grouping, 1)
    alerts_fan_out()
    assert outcomes(first, second) == [TOLD, TOLD]


def test_whoever_would_not_have_been_told_anyway_has_their_own_reason(grouping: Shop, owner: User) -> None:
    PreferenceFactory(user=owner, level="CRITICAL")
    of = [spotted(grouping, 0, label="normal"), spotted(grouping, 1, label="normal")]
    alerts_fan_out()
    assert outcomes(*of) == [("suppressed", "level")] * 2


def test_an_inbox_gets_no_item_of_what_is_grouped(grouping: Shop, owner: User) -> None:
    ContactPointFactory(user=owner, channel="inbox", address="")
    of = [spotted(grouping, 0), spotted(grouping, 1)]
    alerts_fan_out()
    assert outcomes(*of) == [("sent", ""), GROUPED]


def test_what_has_just_arrived_is_grouped_too(grouping: Shop) -> None:
    first, second = spotted(grouping, 0), spotted(grouping, 1)
    assert not fan_out_arrived([first, second])  # it leaves them to the statement that groups
    alerts_fan_out()
    assert outcomes(first, second) == [TOLD, GROUPED]


def test_one_that_waited_for_long_is_told_and_joins_no_later_group(grouping: Shop) -> None:
    late = spotted(grouping, 0)
    newer = spotted(grouping, 600)
    alert_fan_out(newer.pk)
    alert_fan_out(late.pk)
    assert outcomes(newer, late) == [TOLD, TOLD]


def test_the_same_alert_again_changes_nothing(grouping: Shop) -> None:
    first, second = spotted(grouping, 0), spotted(grouping, 1)
    alerts_fan_out()
    again = Posted(
        alert_uuid=second.pk,
        url=second.url,
        location=second.location,
        label=second.label,
        time_spotted=second.time_spotted,
    )
    assert not alert_accept(posted=again).is_new
    alerts_fan_out()
    assert outcomes(first, second) == [TOLD, GROUPED]


def test_a_large_shop_stays_with_its_decision_over_all_chunks(
    grouping: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "FIRST_CHUNK", 2)
    MembershipFactory.create_batch(5, shop=grouping)
    first, second = spotted(grouping, 0), spotted(grouping, 1)
    alerts_fan_out()
    of = Delivery.objects.values_list("notification__source_id", "reason")
    assert sorted(of) == sorted([(str(first.pk), "")] * 6 + [(str(second.pk), "grouped")] * 6)


def test_an_alert_that_cannot_be_fanned_out_keeps_nobody_from_hearing_of_the_next(
    grouping: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = spotted(grouping, 0), spotted(grouping, 1)
    make = alerts.alert_notification

    def refuse(alert: Alert) -> object:
        if alert.pk == bad.pk:
            raise ValueError("it can't be told")
        return make(alert)

    monkeypatch.setattr(alerts, "alert_notification", refuse)
    alerts_fan_out()
    assert outcomes(good) == [TOLD]


def test_a_crash_before_the_fan_out_is_committed_loses_nobody(transactional_db: None, grouping: Shop) -> None:
    first = spotted(grouping, 0)
    with transaction.atomic():
        alert_fan_out(first.pk)
        assert Delivery.objects.exists()
        transaction.set_rollback(True)
    second = spotted(grouping, 1)
    alerts_fan_out()
    assert outcomes(first, second) == [TOLD, GROUPED]


@pytest.mark.slow
def test_two_at_once_on_two_connections_tell_once(transactional_db: None, grouping: Shop) -> None:
    of = [spotted(grouping, n / 100) for n in range(8)]
    barrier = threading.Barrier(8)

    def run(alert: Alert) -> None:
        barrier.wait()
        alert_fan_out(alert.pk)
        connection.close()

    threads = [threading.Thread(target=run, args=(alert,)) for alert in of]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes(*of)) == [TOLD, *[GROUPED] * 7]
    (told_of,) = set(Alert.objects.values_list("grouped_with", flat=True))
    assert outcomes(Alert.objects.get(pk=told_of)) == [TOLD]


@pytest.mark.slow
def test_alerts_of_two_shops_meet_without_a_deadlock(transactional_db: None, grouping: Shop) -> None:
    other = ShopFactory(group_alerts_s=60)
    MembershipFactory(shop=other)
    of = [spotted([grouping, other][n % 2], n / 100) for n in range(60)]
    barrier = threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        alerts_fan_out()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alerts_fan_out()
    assert sorted(outcomes(*of)) == [TOLD, TOLD, *[GROUPED] * 58]
