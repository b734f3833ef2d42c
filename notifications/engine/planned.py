"""Planned deliveries: each to a certain address at its time, as a code or a step of an escalation is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import User
from config import clock
from config.sql import run_prepared
from config.statements import named
from notifications.channels import registry
from notifications.channels.inbox import InboxChannel
from notifications.engine import inbox_items, wake
from notifications.engine.claim import AHEAD
from notifications.engine.recipients import Recipient
from notifications.ids import delivery_id
from notifications.messages.placeholders import CONFIRM
from notifications.models import ContactPoint, Delivery, Notification, priority_of


# Not frozen, which would triple the cost of making one.
@dataclass(slots=True)
class Planned:
    """One delivery to make: a notification (not stored yet), to one address, at a time.

    ``address`` is in any form that the channel takes; a contact point's is taken as it is, and so is one of
    which the caller says that it ``is_normal``. None means: due now, expiring ``DELIVERY_MAX_AGE_H`` after
    it is due, in the person's language, revocable as the channel is. An item for an inbox that is due later
    appears then, and can be revoked until it does. ``held_by`` is the reason, if it is due then because of
    what they prefer.
    ``not_told`` is the reason why it is never sent: its row is for the history alone.
    """

    notification: Notification
    channel: str
    address: str = ""
    user: User | None = None
    contact_point: ContactPoint | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None
    language: str | None = None
    revocable: bool | None = None
    is_normal: bool = False
    held_by: str = ""
    not_told: str = ""

    @classmethod
    def for_recipient(
        cls,
        recipient: Recipient,
        notification: Notification,
        *,
        expires_at: datetime | None = None,
        is_held: bool = False,
    ) -> "Planned":
        """Return what tells a recipient, revocable whatever its channel."""
        return cls(
            notification=notification,
            channel=recipient.channel,
            address=recipient.address,
            user=recipient.user,
            contact_point=recipient.contact_point,
            due_at=recipient.due_at,
            expires_at=expires_at,
            revocable=True,
            is_normal=True,
            held_by=recipient.reason if is_held and recipient.is_told else "",
            not_told="" if recipient.is_told else recipient.reason,
        )


def deliver_many(planned: Sequence[Planned]) -> list[Delivery]:
    """Store the notifications that are not there by their ``dedup_key``, and make their deliveries.

    Part of the caller's transaction, or one of its own; a few statements, whatever their number. What is
    there already by notification, person and contact point is left as it is, and returned. A notification
    to an address that is nobody's needs to be one of its own.

    Raises:
        KeyError: there is no channel of that name.
        django.core.exceptions.ValidationError: an address is none of its channel's.
    """
    now = clock.now()
    made = [_delivery_of(each, now) for each in planned]
    with transaction.atomic():
        stored = _stored([each.notification for each in planned])
        for delivery, each in zip(made, planned, strict=True):
            delivery.notification = stored[each.notification.dedup_key]
        made_here = {each.notification.pk for each in planned}
        # Of those that were there before. Ids say so too, but not what a version before migration 0009 made.
        before = [each.pk for each in stored.values() if each.pk not in made_here]
        there = Delivery.objects.filter(notification__in=before)
        keys = there.values_list("notification", "user", "contact_point", "pk")
        known: dict[tuple[UUID | None, ...], UUID] = {tuple(key): pk for *key, pk in keys}
        for delivery in made:
            notification = delivery.notification
            key = (notification.pk, delivery.user_id, delivery.contact_point_id)
            delivery.pk = known.get(key) or delivery_id(
                notification=notification.pk,
                dedup_key=notification.dedup_key,
                user=delivery.user_id,
                contact_point=delivery.contact_point_id,
            )
        ours = store(list({delivery.pk: delivery for delivery in made}.values()))
        missing = [delivery.pk for delivery in made if delivery.pk not in ours]
        others = Delivery.objects.select_related("notification").in_bulk(missing)
        _announce(list(ours.values()), now)
    return [ours.get(delivery.pk) or others[delivery.pk] for delivery in made]


# Rows come as one array a column. Those that are there already are left alone, and not queued again.
_COLUMNS: Final = {
    "id": "uuid", "shop_id": "uuid", "notification_id": "uuid", "user_id": "uuid", "contact_point_id": "uuid",
    "channel": "text", "address": "text", "language": "text", "status": "text", "reason": "text",
    "revocable": "bool", "due_at": "timestamptz", "expires_at": "timestamptz", "created_at": "timestamptz",
    "sent_at": "timestamptz", "attempts": "int", "replays": "int",
}  # fmt: skip
_STORE: Final = """
WITH made AS (
    SELECT * FROM unnest({arrays}, %(lane)s::text[], %(priority)s::int[])
               AS made ({columns}, lane, priority)
), inserted AS (
    INSERT INTO notifications_delivery ({columns})
    SELECT {columns} FROM made ORDER BY id
        ON CONFLICT (id) DO NOTHING
 RETURNING id
), queued AS (
    INSERT INTO notifications_outgoing
           (delivery_id, lane, priority, due_at, expires_at, revocable, attempts, failures,
            lost_leases, held_for, for_digest)
    SELECT id, lane, priority, due_at, expires_at, revocable, 0, 0, 0,
           CASE WHEN reason IN ('quiet_hours', 'hours') THEN user_id END, false
      FROM made WHERE status = 'pending' AND id IN (SELECT id FROM inserted)
)
SELECT id FROM inserted
""".format(  # noqa: S608  (constants)
    arrays=", ".join(f"%({name})s::{kind}[]" for name, kind in _COLUMNS.items()), columns=", ".join(_COLUMNS)
)
named("engine.store", "Store planned deliveries, and queue what is to be sent.", _STORE)


def store(deliveries: Sequence[Delivery]) -> dict[UUID, Delivery]:
    """Store these deliveries, and queue what is to be sent; returns those that were not there, by id.

    Their ids follow from their facts. In one order for all, so that two that make the same can't deadlock.
    """
    told = [each.notification for each in deliveries]
    parameters: dict[str, Any] = {name: [getattr(each, name) for each in deliveries] for name in _COLUMNS}
    # What isn't queued needs no lane, and may have no address.
    parameters["lane"] = [
        registry.get(each.channel).lane(each.address) if each.status == Delivery.Status.PENDING else ""
        for each in deliveries
    ]
    parameters["priority"] = [priority_of(kind=each.kind, severity=each.severity) for each in told]
    by_id = {each.pk: each for each in deliveries}
    stored = {pk: by_id[pk] for (pk,) in run_prepared(_STORE, parameters)}
    for delivery in stored.values():
        delivery._state.adding = False
    return stored


def _delivery_of(planned: Planned, now: datetime) -> Delivery:
    way = registry.get(planned.channel)
    as_it_is = planned.contact_point is not None or planned.is_normal
    address = planned.address if as_it_is else way.normalised_address(planned.address)
    if way.name == InboxChannel.name and planned.user is None:
        raise ValueError("An inbox is somebody's: say whose.")
    delivery = new_delivery(
        notification=planned.notification,
        user=planned.user,
        channel=planned.channel,
        address=address,
        contact_point=None if planned.not_told else planned.contact_point,
        due_at=planned.due_at,
        now=now,
    )
    delivery.contact_point = planned.contact_point
    for name in ("expires_at", "language", "revocable"):
        if (given := getattr(planned, name)) is not None:
            setattr(delivery, name, given)
    delivery.reason = planned.held_by
    if way.instant:  # it appears when it is due: see notifications.engine.inbox_items
        delivery.status, delivery.sent_at, delivery.revocable = Delivery.Status.PENDING, None, True
    if planned.not_told:
        delivery.status, delivery.reason = Delivery.Status.SUPPRESSED, planned.not_told
    return delivery


def _stored(notifications: Iterable[Notification]) -> dict[str, Notification]:
    """Store what is not there, and return all by ``dedup_key``."""
    wanted = {each.dedup_key: each for each in notifications}
    in_order = [wanted[key] for key in sorted(wanted)]
    Notification.objects.bulk_create(in_order, ignore_conflicts=True, batch_size=1000)
    there = Notification.objects.filter(dedup_key__in=list(wanted)).values_list("dedup_key", "pk")
    others = [pk for key, pk in there if wanted[key].pk != pk]
    return wanted | {each.dedup_key: each for each in Notification.objects.in_bulk(others).values()}


def _announce(created: Sequence[Delivery], now: datetime) -> None:
    """Make inbox items appear that are due, and wake the senders for the rest after the commit."""
    # What is due in a moment too: the sender looks ahead, the sweep is a second away.
    due = [each for each in created if each.status == Delivery.Status.PENDING and each.due_at <= now + AHEAD]
    items = {each.pk: each for each in due if each.channel == InboxChannel.name and each.due_at <= now}
    if items:
        appeared = inbox_items.appear(items, now=now)
        transaction.on_commit(partial(inbox_items.announce, appeared), robust=True)
        for appearance in appeared:
            item = items[appearance.id]
            item.status, item.sent_at, item.created_at = "sent", now, now
    if len(due) > len(items):
        revocable = any(each.revocable for each in due)
        wake_up = partial(wake.publish, revocable=revocable, deliveries=len(due) - len(items))
        transaction.on_commit(wake_up, robust=True)


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
    plan = Planned(
        notification, channel, normal, user=user, contact_point=contact_point, due_at=due_at, is_normal=True
    )
    (delivery,) = deliver_many([plan])
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
    now: datetime | None = None,
) -> Delivery:
    """Return an unstored delivery to a normal address; raises ValueError for an unconfirmed contact point."""
    if contact_point is not None and contact_point.confirmed_at is None and notification.kind != CONFIRM:
        raise ValueError("A contact point tells nothing but its code until it is confirmed.")
    way, now = registry.get(channel), now or clock.now()
    due_at = due_at or now
    delivery = Delivery(
        shop_id=notification.shop_id,
        notification=notification,
        user=user,
        contact_point=contact_point,
        channel=channel,
        address=address,
        language=user.language if user else settings.LANGUAGE_CODE,
        revocable=way.revocable,
        due_at=due_at,
        # What is past is due at once, and not too old for that.
        expires_at=max(due_at, now) + timedelta(hours=settings.DELIVERY_MAX_AGE_H),
    )
    if way.instant:
        delivery.status, delivery.sent_at = Delivery.Status.SENT, now
    return delivery
