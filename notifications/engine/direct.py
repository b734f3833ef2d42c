"""Telling one address something, whatever preferences say: a code, a test, what somebody just asked for."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from notifications import metrics
from notifications.channels import registry
from notifications.channels.base import Channel
from notifications.engine import wake
from notifications.inbox import live
from notifications.models import ContactPoint, Delivery, Notification

_NEXT_NUMBER: Final = """
INSERT INTO notifications_inbox (user_id, last_number) VALUES (%s, 1)
    ON CONFLICT (user_id) DO UPDATE SET last_number = notifications_inbox.last_number + 1
RETURNING last_number
"""


def deliver_to(
    *,
    notification: Notification,
    user: User | None,
    channel: str,
    address: str,
    contact_point: ContactPoint | None = None,
    due_at: datetime | None = None,
) -> Delivery:
    """Store a notification, unless it is there by its ``dedup_key``, and make its delivery to one address.

    Part of the caller's transaction, or one of its own. The same again returns the delivery that is there.

    Args:
        address: in any form that the channel takes; a contact point's is taken as it is.
        due_at: now, if not given.

    Raises:
        KeyError: there is no channel of that name.
        django.core.exceptions.ValidationError: the address is none of the channel's.
        ValueError: this notification was made before, for another address of the same person.
    """
    way = registry.get(channel)
    normal = address if contact_point else way.normalised_address(address)
    with transaction.atomic():
        notification, _ = Notification.objects.get_or_create(
            dedup_key=notification.dedup_key, defaults=_columns(notification)
        )
        key: dict[str, Any] = {"notification": notification, "user": user, "contact_point": contact_point}
        delivery = Delivery.objects.filter(**key).first()
        if delivery is None:
            made = new_delivery(**key, channel=channel, address=normal, due_at=due_at)
            if way.instant:
                made.number = _next_number(way, user)
            delivery, created = Delivery.objects.get_or_create(**key, defaults=_columns_of(made))
            if created:
                _announce(delivery)
    if (delivery.channel, delivery.address) != (channel, normal):
        raise ValueError(f"{notification.dedup_key} was made for another address.")
    return delivery


def new_delivery(
    *,
    notification: Notification,
    user: User | None,
    channel: str,
    address: str,
    contact_point: ContactPoint | None = None,
    due_at: datetime | None = None,
) -> Delivery:
    """Return a delivery to one address in its normal form (not stored yet)."""
    way, now = registry.get(channel), timezone.now()
    due_at = due_at or now
    delivery = Delivery(
        notification=notification,
        user=user,
        contact_point=contact_point,
        channel=channel,
        address=address,
        language=user.language if user else settings.LANGUAGE_CODE,
        lane=way.lane(address),
        revocable=way.revocable,
        due_at=due_at,
        expires_at=due_at + timedelta(hours=settings.DELIVERY_MAX_AGE_H),
    )
    if way.instant:
        delivery.status, delivery.sent_at = Delivery.Status.SENT, now
    return delivery


def _columns(notification: Notification) -> dict[str, Any]:
    names = ("kind", "title", "body", "texts", "data", "severity", "source_type", "source_id", "created_at")
    return {name: getattr(notification, name) for name in names}


def _columns_of(delivery: Delivery) -> dict[str, Any]:
    names = ("channel", "address", "language", "lane", "revocable", "due_at", "expires_at")
    settled = ("status", "sent_at", "number")
    return {name: getattr(delivery, name) for name in (*names, *settled)}


def _next_number(way: Channel, user: User | None) -> int | None:
    """Return the number of a new item in somebody's inbox; see notifications.models.Inbox."""
    if way.name != "inbox":
        return None
    if user is None:
        raise ValueError("An inbox is somebody's: say whose.")
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_NUMBER, [user.pk])
        return int(cursor.fetchone()[0])


def _announce(delivery: Delivery) -> None:
    """Tell whoever waits for it, after the commit."""
    if delivery.status == Delivery.Status.PENDING:
        wake.on_commit()
        return
    metrics.add("deliveries", delivery.channel, delivery.status)
    if delivery.number is not None and delivery.user_id:
        transaction.on_commit(partial(live.announce, [delivery.user_id]), robust=True)
