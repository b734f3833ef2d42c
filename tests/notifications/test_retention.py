"""What is kept of contact points, actions and brokers' messages goes after its time, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from config.slices import Run
from notifications import retention
from notifications.brokers import retention as brokers
from notifications.models import (
    ContactPoint,
    DeadMessage,
    Delivery,
    DeliveryAction,
    MessageFailure,
    OutgoingMessage,
    ReceivedMessage,
)
from tests.factories import ContactPointFactory, NotificationFactory
from tests.queued import stored

pytestmark = pytest.mark.django_db


def run() -> Run:
    return Run(now=timezone.now())


def days_ago(days: float) -> Any:
    return timezone.now() - timedelta(days=days)


class TestContactPoints:
    @pytest.fixture
    def removed(self, owner: User) -> dict[str, ContactPoint]:
        """The age in days since its removal says which; one that is still there is "live"."""
        ages = {"live": None, "young": 89.0, "old": 91.0, "oldest": 401.0}
        return {
            name: ContactPointFactory(
                user=owner, label="Mum's", deleted_at=None if age is None else days_ago(age)
            )
            for name, age in ages.items()
        }

    def test_their_addresses_go_first(self, removed: dict[str, ContactPoint]) -> None:
        assert retention.contact_points_erase(run()) == 2
        for name, point in removed.items():
            point.refresh_from_db()
            erased = name in ("old", "oldest")
            assert (point.address == "", point.label == "", point.address_is_erased) == (erased,) * 3, name
        assert retention.contact_points_erase(run()) == 0

    def test_at_0_days_they_stay_until_the_contact_point_goes(
        self, removed: dict[str, ContactPoint], settings: Settings
    ) -> None:
        settings.ADDRESS_RETENTION_DAYS = 0
        assert retention.contact_points_erase(run()) == 0

    def test_then_they_go_themselves(self, removed: dict[str, ContactPoint]) -> None:
        assert retention.contact_points_expire(run()) == 1
        assert set(ContactPoint.objects.all()) == {removed[name] for name in ("live", "young", "old")}

    def test_where_the_history_is_kept_for_ever_so_are_they(
        self, removed: dict[str, ContactPoint], settings: Settings
    ) -> None:
        settings.HISTORY_RETENTION_DAYS = 0
        assert retention.contact_points_expire(run()) == 0

    def test_but_not_as_long_as_a_delivery_names_it(
        self, removed: dict[str, ContactPoint], owner: User
    ) -> None:
        now = timezone.now()
        told = Delivery(
            notification=NotificationFactory(),
            user=owner,
            contact_point=removed["oldest"],
            channel="webhook",
            status="sent",
            due_at=now,
            expires_at=now,
        )
        stored([told])
        assert retention.contact_points_expire(run()) == 0
        told.delete()
        assert retention.contact_points_expire(run()) == 1


def test_what_was_done_by_hand_is_known_for_its_time(settings: Settings) -> None:
    settings.ACTION_RETENTION_DAYS = 30
    for days in (31, 29):
        DeliveryAction.objects.create(
            action="replay", by=str(days), via="api", count=1, deliveries=[], at=days_ago(days)
        )
    assert retention.delivery_actions_expire(run()) == 1
    assert DeliveryAction.objects.get().by == "29"


def test_dead_messages_go_after_their_time_and_replayed_ones_after_theirs() -> None:
    def dead(name: str, *, came: float, ended: float | None = None) -> None:
        DeadMessage.objects.create(
            source=name,
            reason="bad",
            body=b"{}",
            size=2,
            delivered_at=days_ago(came),
            created_at=days_ago(came),
            state="dead" if ended is None else "replayed",
            ended_at=None if ended is None else days_ago(ended),
        )

    dead("old", came=91)
    dead("young", came=89)
    dead("replayed long ago", came=200, ended=91)
    dead("replayed lately", came=200, ended=2)
    assert brokers.dead_messages_expire(run()) == 2
    assert set(DeadMessage.objects.values_list("source", flat=True)) == {"young", "replayed lately"}


def test_messages_that_no_broker_has_any_more_are_forgotten_of_whatever_source() -> None:
    for days in (8, 6, 14, 16):
        ReceivedMessage.objects.create(source="gone", message_id=str(days), received_at=days_ago(days))
        MessageFailure.objects.create(source="gone", key=str(days), last_at=days_ago(days))
    assert brokers.received_messages_expire(run()) == 1
    assert brokers.message_failures_expire(run()) == 3
    assert set(ReceivedMessage.objects.values_list("message_id", flat=True)) == {"6", "8", "14"}
    assert MessageFailure.objects.get().key == "6"


def test_what_is_to_be_published_goes_if_its_broker_is_configured_no_more(settings: Settings) -> None:
    settings.SOURCES = {"away": {"url": "amqp://localhost:1"}, "off": {"url": ""}}
    for broker, days in (("away", 91), ("off", 91), ("off", 89), ("never", 91)):
        OutgoingMessage.objects.create(broker=broker, body={"days": days}, created_at=days_ago(days))
    assert brokers.outgoing_messages_expire(run()) == 2
    left = set(OutgoingMessage.objects.values_list("broker", "body__days"))
    assert left == {("away", 91), ("off", 89)}
