"""Many deliveries at once: few statements, made once, and inbox items that appear in their time."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from redis import Redis

from accounts.models import User
from notifications.engine.planned import Planned, deliver_many
from notifications.engine.sender import Sender
from notifications.engine.stop import cancel
from notifications.inbox import live
from notifications.models import ContactPoint, Delivery, InboxItem, Notification, Outgoing
from notifications.queue import channel
from tests.clock import Clock
from tests.factories import ContactPointFactory, NotificationFactory, UserFactory

Make = Callable[..., list[Delivery]]


def told(**fields: object) -> Notification:
    return NotificationFactory.build(**fields)


def hooks(count: int) -> list[Planned]:
    return [Planned(told(), "webhook", f"https://h{number}.example.com") for number in range(count)]


@pytest.mark.django_db
def test_any_number_takes_the_same_few_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(4):  # begin or savepoint, an insert, a look-up, and its end
        few = deliver_many(hooks(2))
    with django_assert_num_queries(4):
        many = deliver_many(hooks(200))
    assert [len(few), len(many)] == [2, 200]
    assert [each.address for each in many[:2]] == ["https://h0.example.com/", "https://h1.example.com/"]
    lanes = [Outgoing.objects.get(pk=each.pk).lane for each in many[:2]]
    assert lanes == ["https://h0.example.com:443", "https://h1.example.com:443"]


@pytest.mark.django_db
def test_the_same_again_makes_nothing_twice(owner: User) -> None:
    point: ContactPoint = ContactPointFactory(user=owner)
    notification = told()

    def planned() -> list[Planned]:
        return [
            Planned(told(dedup_key=notification.dedup_key), "inbox", user=owner),
            Planned(
                told(dedup_key=notification.dedup_key),
                "webhook",
                point.address,
                user=owner,
                contact_point=point,
            ),
        ]

    first, again = deliver_many(planned()), deliver_many(planned())
    assert [each.pk for each in first] == [each.pk for each in again]
    assert Delivery.objects.count() == 2
    assert Notification.objects.count() == 1


@pytest.mark.django_db
def test_one_address_that_is_none_leaves_nothing_behind() -> None:
    with pytest.raises(ValidationError):
        deliver_many([*hooks(1), Planned(told(), "email", "nobody")])
    assert not Notification.objects.exists()


@pytest.mark.django_db
def test_what_is_long_past_is_due_and_not_too_old() -> None:
    (delivery,) = deliver_many(
        [Planned(told(), "webhook", "https://a.example.com", due_at=timezone.now() - timedelta(days=900))]
    )
    assert delivery.expires_at > timezone.now() + timedelta(hours=23)


def test_items_for_an_inbox_appear_when_they_are_due_numbered_in_that_order_and_announced(
    sender: Sender, clock: Clock, redis: Redis
) -> None:
    people = UserFactory.create_batch(2, password="!")
    now = timezone.now()
    planned = [
        Planned(
            told(title=f"{minutes}"),
            "inbox",
            user=person,
            due_at=now + timedelta(minutes=minutes),
            language="fr",
        )
        for minutes in (3, 1, -1, 2)
        for person in people
    ]
    made = deliver_many(planned)
    assert [each.status for each in made].count("sent") == 2
    assert list(InboxItem.objects.values_list("number", flat=True)) == [1, 1]
    assert sender.drain(20)
    assert Delivery.objects.filter(status="sent").count() == 2
    with redis.pubsub() as listening:
        listening.subscribe(channel(live.CHANNEL))
        listening.get_message(timeout=5)
        clock.forward(180)
        assert sender.drain(20)
        heard = listening.get_message(timeout=5, ignore_subscribe_messages=True)
    assert heard is not None
    assert {*live.people_of(heard["data"])} == {person.pk for person in people}
    for person in people:
        items = InboxItem.objects.filter(user=person).order_by("number")
        assert [(each.notification.title, each.number) for each in items] == [
            ("-1", 1), ("1", 2), ("2", 3), ("3", 4),
        ]  # fmt: skip
        assert all(
            each.created_at == each.delivery.created_at == each.delivery.sent_at
            and (each.delivery.status, each.language) == ("sent", "fr")
            for each in items
        )


def test_an_item_that_is_stopped_before_its_time_never_appears(sender: Sender, clock: Clock) -> None:
    person = UserFactory(password="!")
    due_at = timezone.now() + timedelta(minutes=1)
    deliver_many([Planned(told(), "inbox", user=person, due_at=due_at)])
    assert cancel(Delivery.objects.all(), reason="stopped") == 1
    clock.forward(120)
    assert sender.drain(20)
    assert Delivery.objects.get().status == "cancelled"


@pytest.mark.slow
def test_what_is_due_in_a_moment_is_begun_then_and_not_at_the_next_sweep(
    sender: Sender, make_deliveries: Make
) -> None:
    """Nobody wakes the sender here: it has seen at its last look what is to come."""
    due_at = timezone.now() + timedelta(seconds=0.7)
    (delivery,) = make_deliveries(1, "", channel="console", due_at=due_at, revocable=True)
    sender.wake()
    while Delivery.objects.get().status != "sent" and timezone.now() < due_at + timedelta(seconds=20):
        time.sleep(0.005)
    attempt = delivery.attempt_set.get()
    assert attempt.started_at >= due_at
