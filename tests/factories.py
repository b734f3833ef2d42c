"""Builders of valid rows."""

import uuid
from datetime import date, time
from typing import Any

import factory
from django.utils import timezone

from accounts.models import Membership, Shop, User
from config import clock
from escalation.models import Schedule
from escalation.services.schedules import LayerSaid, schedule_create
from notifications.models import Alert, ContactPoint, Delivery, InboxItem, Notification, Preference


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@example.com")
    first_name = "Ana"
    password = factory.django.Password("correct horse battery")


class ShopFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Shop

    slug = factory.Sequence(lambda n: f"shop-{n}")
    name = factory.Sequence(lambda n: f"Shop {n}")


def number_from(start: int) -> None:
    """Have names and addresses end in numbers from this on: a process begins at 0, a database has others."""
    for each in (UserFactory, ShopFactory, ContactPointFactory):
        each.reset_sequence(start, force=True)


class MembershipFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Membership

    shop = factory.SubFactory(ShopFactory)
    user = factory.SubFactory(UserFactory)


class PreferenceFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Preference

    user = factory.SubFactory(UserFactory)
    level = "STANDARD"


class ContactPointFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ContactPoint

    user = factory.SubFactory(UserFactory)
    channel = "webhook"
    address = factory.Sequence(lambda n: f"https://hooks.example.com/{n}")
    confirmed_at = factory.LazyAttribute(lambda point: point.created_at)
    created_at = factory.LazyFunction(clock.now)


class AlertFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Alert

    alert_uuid = factory.LazyFunction(uuid.uuid4)
    url = "https://media.example.com/clip.mp4"
    shop = factory.SubFactory(ShopFactory)
    location = factory.LazyAttribute(lambda alert: alert.shop.slug)
    label = "theft"
    time_spotted = factory.LazyFunction(timezone.now)


class NotificationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Notification

    kind = "alert"
    title = "Theft at Auchan"
    source_type = "alert"
    source_id = factory.LazyFunction(lambda: str(uuid.uuid4()))
    dedup_key = factory.LazyAttribute(lambda notification: f"alert:{notification.source_id}")
    data = factory.LazyAttribute(
        lambda notification: {
            "url": "https://media.example.com/clip.mp4",
            "alert_uuid": notification.source_id,
            "location": "fr-auchan-larochelle",
            "label": "theft",
            "time_spotted": 1742470260.083,
        }
    )


class SentToInboxFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Delivery

    notification = factory.SubFactory(NotificationFactory)
    user = factory.SubFactory(UserFactory)
    channel = "inbox"
    status = "sent"
    due_at = factory.LazyFunction(timezone.now)
    expires_at = factory.SelfAttribute("due_at")
    sent_at = factory.SelfAttribute("due_at")


class InboxItemFactory(factory.django.DjangoModelFactory):
    """An item with its delivery; neither raises the number of the inbox."""

    class Meta:
        model = InboxItem

    user = factory.SubFactory(UserFactory)
    notification = factory.SubFactory(NotificationFactory)
    number = 1
    delivery = factory.SubFactory(
        SentToInboxFactory,
        user=factory.SelfAttribute("..user"),
        notification=factory.SelfAttribute("..notification"),
    )


def schedule_of(*people: User, name: str = "Nights", **layer: Any) -> Schedule:
    """A schedule of one layer, in which these people take turns of a week."""
    said = {"time_zone": "UTC", "starts_on": date(2026, 1, 5), "handoff_at": time(8), "shift_h": 168} | layer
    members = tuple(person.pk for person in people)
    return schedule_create(name=name, layers=[LayerSaid(members=members, **said)])[0]
