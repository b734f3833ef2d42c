"""From one fact to its deliveries: one SQL statement, with the reason for whoever is not told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import mogrify
from django.db.models import QuerySet
from django.utils import timezone
from psycopg.types.json import Jsonb

from accounts.models import Membership
from notifications import metrics
from notifications.channels import registry
from notifications.engine import wake
from notifications.models import Alert, ContactPoint, Delivery, Notification, Severity

# Members of the audience × their contact points, or the default channel for who has none. Whoever is
# not told gets a row too, suppressed, with the reason: it answers "why didn't Ana get this?".
_FAN_OUT = """
WITH audience AS (
    SELECT user_id FROM ({audience}) AS everyone (user_id)
     WHERE %(after)s::uuid IS NULL OR user_id > %(after)s::uuid
     ORDER BY user_id LIMIT %(chunk)s
), inserted AS (
    INSERT INTO notifications_delivery
           (notification_id, user_id, contact_point_id, channel, address, lane,
            status, reason, revocable, due_at, expires_at, created_at, sent_at,
            attempts, failures, lost_leases, replays)
    SELECT %(notification)s, person.uuid, contact.id,
           coalesce(contact.channel, %(default_channel)s),
           coalesce(contact.address, %(default_address)s),
           coalesce(contact.lane, %(default_lane)s),
           CASE WHEN verdict.reason <> '' THEN 'suppressed'
                WHEN contact.channel = ANY (%(instant)s) THEN 'sent'
                ELSE 'pending' END,
           verdict.reason,
           coalesce(contact.channel, %(default_channel)s) = ANY (%(revocable)s),
           %(now)s, %(expires_at)s, %(now)s,
           CASE WHEN verdict.reason = '' AND contact.channel = ANY (%(instant)s)
                THEN %(now)s::timestamptz END,
           0, 0, 0, 0
      FROM audience
      JOIN accounts_user AS person ON person.uuid = audience.user_id AND person.is_active
      LEFT JOIN notifications_preference AS preference ON preference.user_id = person.uuid
      LEFT JOIN notifications_contactpoint AS contact
        ON contact.user_id = person.uuid AND contact.deleted_at IS NULL AND contact.created_at <= %(as_of)s
     CROSS JOIN LATERAL (
           SELECT CASE WHEN NOT contact.is_enabled THEN 'disabled'
                       WHEN preference.level = 'CRITICAL' AND %(severity)s <> 'critical' THEN 'level'
                       ELSE '' END AS reason) AS verdict
        ON CONFLICT (notification_id, user_id, contact_point_id) DO NOTHING
 RETURNING channel, status
), settled AS (
    SELECT channel, status, count(*) FROM inserted WHERE status <> 'pending' GROUP BY channel, status
)
SELECT (array_agg(user_id ORDER BY user_id DESC))[1], count(*),
       (SELECT json_agg(settled) FROM settled)
  FROM audience
"""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to be told: a queryset of one column of user ids, and the time as of which that is asked."""

    user_ids: QuerySet[Any, Any]
    as_of: datetime


def _fan_out_chunk(
    notification: Notification, audience: Audience, after: UUID | None, now: datetime
) -> UUID | None:
    """Make the deliveries of the next chunk; return its last user, or None where it was the last chunk."""
    # The audience's own parameters are positional, ours are named: bind the former first.
    everyone = mogrify(*audience.user_ids.query.sql_with_params(), connection)
    channels = registry.CHANNELS.values()
    default_channel = registry.get("third_party")
    with connection.cursor() as cursor:
        cursor.execute(
            _FAN_OUT.format(audience=everyone.replace("%", "%%")),
            {
                "notification": notification.pk,
                "severity": notification.severity,
                "as_of": audience.as_of,
                "after": after,
                "chunk": settings.FANOUT_CHUNK,
                "now": now,
                "expires_at": now + timedelta(hours=settings.DELIVERY_MAX_AGE_H),
                "default_channel": default_channel.name,
                "default_address": settings.THIRD_PARTY_URL,
                "default_lane": default_channel.lane(settings.THIRD_PARTY_URL),
                "instant": [channel.name for channel in channels if channel.instant],
                "revocable": [channel.name for channel in channels if channel.revocable],
            },
        )
        last_user, members, settled = cursor.fetchone()
    for each in settled or ():
        metrics.add("deliveries", each["channel"], each["status"], amount=each["count"])
    return last_user if members == settings.FANOUT_CHUNK else None


# The conflicting row is written anew so that its id comes back, and is locked until this one commits.
_STORE = """
INSERT INTO notifications_notification
       (kind, title, body, data, severity, source_type, source_id, dedup_key, created_at)
VALUES (%(kind)s, %(title)s, %(body)s, %(data)s, %(severity)s, %(source_type)s, %(source_id)s,
        %(dedup_key)s, %(created_at)s)
    ON CONFLICT (dedup_key) DO UPDATE SET dedup_key = EXCLUDED.dedup_key
RETURNING id
"""


def notification_store(notification: Notification) -> Notification:
    """Store a notification, or find the one of the same ``dedup_key``; returns it with its id."""
    fields = ("kind", "title", "body", "severity", "source_type", "source_id", "dedup_key", "created_at")
    values: dict[str, Any] = {name: getattr(notification, name) for name in fields}
    values["data"] = Jsonb(notification.data)
    with connection.cursor() as cursor:
        cursor.execute(_STORE, values)
        (notification.pk,) = cursor.fetchone()
    return notification


def alert_notification(alert: Alert) -> Notification:
    """Return what is told of an alert (not stored yet)."""
    return Notification(
        kind="alert",
        title=f"{alert.get_label_display()} at {alert.shop.name}"[:200],
        body=f"Spotted at {alert.time_spotted:%Y-%m-%d %H:%M:%S} UTC.",
        data={
            "url": alert.url,
            "alert_uuid": str(alert.alert_uuid),
            "location": alert.location,
            "label": alert.label,
            "time_spotted": alert.time_spotted.timestamp(),
        },
        severity=alert.severity,
        source_type="alert",
        source_id=str(alert.alert_uuid),
        dedup_key=f"alert:{alert.alert_uuid}",
    )


def alert_audience(alert: Alert) -> Audience:
    """Return the shop's members as of the alert's arrival."""
    members = Membership.objects.filter(
        shop_id=alert.shop_id, left_at=None, joined_at__lte=alert.received_at
    ).order_by()
    return Audience(user_ids=members.values_list("user_id"), as_of=alert.received_at)


@contextmanager
def _alone(key: str) -> Iterator[bool]:
    """Hold PostgreSQL's advisory lock of this name; false where somebody else does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
        held = bool(cursor.fetchone()[0])
        try:
            yield held
        finally:
            if held:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def alert_fan_out(alert_uuid: UUID) -> None:
    """Make an alert's deliveries. Running it again, or twice at once, makes nothing twice.

    A large shop takes several transactions, so that the first members are told while the last are
    still being written; a crash between two is made good by the next run.
    """
    alert = Alert.objects.select_related("shop").get(pk=alert_uuid)
    if alert.fanned_out_at:
        return
    with _alone(f"fan-out:{alert_uuid}") as alone:
        if not alone:
            return
        audience = alert_audience(alert)
        notification, after, finished = alert_notification(alert), None, False
        while not finished:
            with transaction.atomic():
                if after is None:
                    notification = notification_store(notification)
                after = _fan_out_chunk(notification, audience, after, timezone.now())
                finished = after is None
                if finished:
                    Alert.objects.filter(pk=alert_uuid).update(fanned_out_at=timezone.now())
            wake.publish()


def notify_contact_point(
    contact_point: ContactPoint, *, kind: str, title: str, body: str, data: dict[str, Any], dedup_key: str
) -> Delivery:
    """Tell one contact point something, whatever its owner's preferences (a test send, say)."""
    channel, now = registry.get(contact_point.channel), timezone.now()
    with transaction.atomic():
        notification = notification_store(
            Notification(
                kind=kind,
                title=title,
                body=body,
                data=data,
                severity=Severity.STANDARD,
                source_type="contact_point",
                source_id=str(contact_point.pk),
                dedup_key=dedup_key,
            )
        )
        delivery, _ = Delivery.objects.get_or_create(
            notification=notification,
            user_id=contact_point.user_id,
            contact_point=contact_point,
            defaults={
                "channel": channel.name,
                "address": contact_point.address,
                "lane": contact_point.lane,
                "status": Delivery.Status.SENT if channel.instant else Delivery.Status.PENDING,
                "sent_at": now if channel.instant else None,
                "revocable": channel.revocable,
                "due_at": now,
                "expires_at": now + timedelta(hours=settings.DELIVERY_MAX_AGE_H),
            },
        )
        wake.on_commit()
    return delivery
