"""Many small alerts are fanned out at once, and their deliveries are born with a lease."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Shop, User
from notifications import queue
from notifications.engine import arrivals, jobs, wake
from notifications.engine.arrivals import Arrivals
from notifications.engine.fanout import alert_fan_out, alerts_fan_out, fan_out_waiting
from notifications.engine.fanout import alerts as of_alerts
from notifications.engine.sender import Sender
from notifications.models import Alert, Attempt, Delivery, InboxItem, Notification, Outgoing
from notifications.services.preferences import subscription_set
from tests.clock import Clock
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    MembershipFactory,
    PreferenceFactory,
    ShopFactory,
    UserFactory,
)
from tests.servers.third_party import ThirdParty

pytestmark = pytest.mark.django_db


def staffed(url: str = "https://hooks.example.com/") -> Shop:
    """A shop with one person of each kind."""
    shop = ShopFactory()
    people = UserFactory.create_batch(5)
    for person in people:
        MembershipFactory(shop=shop, user=person)
    told, critical_only, inbox, switched_off, _default = people
    ContactPointFactory(user=told, address=url)
    ContactPointFactory(user=critical_only, address=url)
    PreferenceFactory(user=critical_only, level="CRITICAL")
    ContactPointFactory(user=inbox, channel="inbox", address="")
    ContactPointFactory(user=switched_off, is_enabled=False)
    MembershipFactory(shop=shop, user=UserFactory(is_active=False))
    return shop


def alerts_in(shops: list[Shop]) -> list[Alert]:
    return [AlertFactory(shop=shop, label=label) for shop in shops for label in ("theft", "normal")]


def made() -> set[tuple[Any, ...]]:
    return set(
        Delivery.objects.values_list(
            "id", "shop", "notification__dedup_key", "user", "contact_point", "channel", "address", "status",
            "reason", "outgoing__lane", "outgoing__priority",
        )
    )  # fmt: skip


def told() -> set[tuple[Any, ...]]:
    return set(Notification.objects.values_list("dedup_key", "title", "severity", "shop", "source_id"))


@pytest.mark.slow
def test_many_at_once_become_what_each_would_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    alerts = alerts_in([staffed(), staffed()])
    would_be_told = User.objects.filter(
        contact_points__channel="webhook", contact_points__is_enabled=True, preference=None
    )
    subscription_set(user=would_be_told[0], channel="", kind="alert", is_enabled=False)
    with monkeypatch.context() as patch:
        patch.setattr(of_alerts, "SMALL", 0)  # as if each were large
        for alert in alerts:
            alert_fan_out(alert.pk)
    alone, notifications = made(), told()
    assert {status for *_, status, _, _, _ in alone} == {"pending", "sent", "suppressed"}
    assert {reason for *_, reason, _, _ in alone} == {"", "level", "disabled", "unsubscribed"}

    Notification.objects.all().delete()
    Alert.objects.update(fanned_out_at=None)
    assert not fan_out_waiting()
    assert made() == alone
    assert told() == notifications
    assert not Alert.objects.filter(fanned_out_at=None).exists()


def test_it_takes_as_many_statements_for_many_as_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    run = of_alerts.fan_out_alerts
    monkeypatch.setattr(of_alerts, "fan_out_alerts", lambda *args, **kw: asked.append(1) or run(*args, **kw))
    AlertFactory.create_batch(20, shop=staffed(), label="theft")
    assert not fan_out_waiting()
    assert len(asked) == 1
    assert Alert.objects.filter(fanned_out_at=None).count() == 0


def test_items_of_one_inbox_get_their_numbers_in_the_order_of_the_alerts() -> None:
    shop = staffed()
    now = timezone.now()
    alerts = [
        AlertFactory(shop=shop, label="theft", received_at=now + timedelta(seconds=n), time_spotted=now)
        for n in range(3)
    ]
    alerts_fan_out()
    items = InboxItem.objects.order_by("number").values_list("number", "notification__source_id")
    assert [number for number, _ in items] == [1, 2, 3]
    assert {source for _, source in items} == {str(alert.pk) for alert in alerts}


def test_a_large_shop_among_small_ones_takes_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_alerts, "SMALL", 6)
    monkeypatch.setattr(of_alerts, "FIRST_CHUNK", 4)
    large = staffed()
    for person in UserFactory.create_batch(6):
        MembershipFactory(shop=large, user=person)
    alerts_in([staffed(), large])
    alerts_fan_out()
    counts = {
        shop.pk: Delivery.objects.filter(shop=shop, notification__severity="critical").count()
        for shop in Shop.objects.all()
    }
    assert sorted(counts.values()) == [5, 11]
    assert not Alert.objects.filter(fanned_out_at=None).exists()


def test_what_was_made_before_is_not_made_again() -> None:
    alerts = alerts_in([staffed()])
    alerts_fan_out()
    before = made()
    Outgoing.objects.all().delete()
    Delivery.objects.filter(status="pending").update(status="sent")
    Alert.objects.filter(pk=alerts[0].pk).update(fanned_out_at=None)  # as if that had not been written down
    alerts_fan_out()
    assert {row[0] for row in made()} == {row[0] for row in before}
    assert not Outgoing.objects.exists()


class Full:
    """A sender that has no room."""

    def has_room(self, count: int) -> bool:
        return False

    def take_over(self, rows: Any) -> None:
        raise AssertionError("it has no room")


@pytest.fixture
def local(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """A sender in this process, as a worker has it; nothing wakes it."""
    monkeypatch.setattr(wake, "sender", sender)
    return sender


@pytest.mark.slow
def test_deliveries_are_born_claimed_and_sent_without_being_looked_for(
    transactional_db: None, local: Sender, third_party: ThirdParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert local.drain(20)

    take, found = local._claimer.take, list[Any]()

    async def watched(*args: Any, **options: Any) -> Any:
        found.extend(rows := await take(*args, **options))
        return rows

    monkeypatch.setattr(local._claimer, "take", watched)
    alerts_in([staffed(third_party.url)])
    alerts_fan_out()
    third_party.wait_for(3)
    assert local.drain(20)
    sent = Delivery.objects.filter(channel="webhook", status="sent")
    assert third_party.counts() == {str(each.pk): 1 for each in sent}
    assert set(sent.values_list("attempts", flat=True)) == {1}
    assert Attempt.objects.filter(delivery__in=sent).count() == 3
    assert found == []


def test_without_room_they_wait_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake, "sender", Full())
    alerts_in([staffed()])
    alerts_fan_out()
    assert set(Outgoing.objects.values_list("lease_until", "attempts")) == {(None, 0)}


@pytest.mark.slow
def test_what_a_worker_was_lost_with_before_it_could_send_is_due_again(
    transactional_db: None,
    sender: Sender,
    clock: Clock,
    third_party: ThirdParty,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lost(Full):
        def has_room(self, count: int) -> bool:
            return True

        def take_over(self, rows: Any) -> None:
            """Die."""

    monkeypatch.setattr(wake, "sender", Lost())
    AlertFactory(shop=staffed(third_party.url), label="theft")
    alerts_fan_out()
    assert sender.drain(20)
    assert third_party.requests == []
    clock.forward(3600)
    assert sender.drain(20)
    assert len(third_party.counts()) == 2
    assert set(Attempt.objects.filter(delivery__channel="webhook").values_list("number", "outcome")) == {
        (1, "lost"),
        (2, "sent"),
    }


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def taking(transactional_db: None) -> Iterator[None]:
    thread = Arrivals()
    thread.start()
    yield
    thread.stop()


@pytest.mark.slow
def test_an_arrival_is_fanned_out_past_the_job_queue(taking: None, shop: Shop, owner: User) -> None:
    alert = AlertFactory(shop=shop)
    until(lambda: Alert.objects.get(pk=alert.pk).fanned_out_at is not None)
    assert Delivery.objects.get().user == owner


@pytest.mark.slow
@pytest.mark.slow
def test_whoever_takes_what_arrives_says_so(taking: None) -> None:
    until(lambda: bool(queue.redis().exists(arrivals.TAKEN)))


@pytest.mark.slow
def test_small_alerts_that_arrive_are_not_looked_for(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[int]()
    look = arrivals.alerts_fan_out
    monkeypatch.setattr(arrivals, "alerts_fan_out", lambda: looked.append(1) or look())
    thread = Arrivals()
    thread.start()
    try:
        alerts = alerts_in([staffed(), staffed()])
        until(lambda: not Alert.objects.filter(fanned_out_at=None).exists())
    finally:
        thread.stop()
    assert looked == []
    assert Notification.objects.count() == len(alerts)


@pytest.mark.slow
def test_without_redis_alerts_are_looked_for(
    transactional_db: None, shop: Shop, owner: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[bool] = []
    monkeypatch.setattr(wake, "local", lambda *, revocable: woken.append(revocable))
    reachable, settings.REDIS_URL = settings.REDIS_URL, "unix:///nowhere/redis.sock"
    alert = AlertFactory(shop=shop)
    thread = Arrivals()
    thread.start()
    try:
        until(lambda: Alert.objects.get(pk=alert.pk).fanned_out_at is not None and bool(woken))
    finally:
        thread.stop()
        settings.REDIS_URL = reachable
    assert Delivery.objects.get().user == owner


def test_while_arrivals_are_taken_one_job_a_second_is_enough(transactional_db: None) -> None:
    alert = AlertFactory()
    queue.redis().delete(arrivals.LIST, arrivals.TAKEN, arrivals._JOB)
    assert [arrivals.announce([alert]), arrivals.announce([alert])] == [True, True]
    queue.redis().set(arrivals.TAKEN, 1)
    queue.redis().delete(arrivals._JOB)
    assert [arrivals.announce([alert]), arrivals.announce([alert])] == [True, False]
    assert queue.redis().llen(arrivals.LIST) == 4


def test_a_job_fans_out_whatever_nobody_has(shop: Shop, owner: User) -> None:
    alerts = AlertFactory.create_batch(3, shop=shop)
    jobs.alert_fan_out(str(alerts[0].pk))
    assert Delivery.objects.count() == 3
