"""From one fact to its deliveries: one SQL statement, with the reason for whoever is not told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from psycopg.types.json import Jsonb

from accounts.models import Shop
from notifications import metrics
from notifications.channels import registry
from notifications.engine import wake
from notifications.models import Alert, ContactPoint, Delivery, Notification, Severity

log = structlog.get_logger(__name__)

# Members of the audience × their contact points, or the default channel for who has none. Whoever is
# not told gets a row too, suppressed, with the reason: it answers "why didn't Ana get this?".
#
# The ids are not random but follow from the fact, the person and the contact point (a UUID of version 8,
# RFC 9562: milliseconds, then a digest): where a crash undoes a fan-out that was already being sent, the
# next one gives the same deliveries the same ids, by which receivers know a repeat.
_FAN_OUT = """
WITH told AS (
    -- The conflicting row is written anew so that its id comes back; it stays locked until the commit.
    INSERT INTO notifications_notification
           (kind, title, body, texts, data, severity, source_type, source_id, dedup_key, created_at)
    VALUES (%(kind)s, %(title)s, %(body)s, %(texts)s, %(data)s, %(severity)s, %(source_type)s, %(source_id)s,
            %(dedup_key)s, %(created_at)s)
        ON CONFLICT (dedup_key) DO UPDATE SET dedup_key = EXCLUDED.dedup_key
 RETURNING id
), audience AS (
    SELECT user_id FROM ({audience}) AS everyone (user_id)
     WHERE %(after)s::uuid IS NULL OR user_id > %(after)s::uuid
     ORDER BY user_id LIMIT %(chunk)s
), inserted AS (
    INSERT INTO notifications_delivery
           (id, notification_id, user_id, contact_point_id, channel, address, language, lane,
            status, reason, revocable, due_at, expires_at, created_at, sent_at,
            attempts, failures, lost_leases, replays)
    SELECT (%(id_prefix)s || '8' || substr(name.digest, 1, 3) || '8' || substr(name.digest, 4, 15))::uuid,
           (SELECT id FROM told), person.uuid, contact.id,
           coalesce(contact.channel, %(default_channel)s),
           coalesce(contact.address, %(default_address)s),
           person.language,
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
     CROSS JOIN LATERAL (
           SELECT md5(%(dedup_key)s || person.uuid || coalesce(contact.id::text, '')) AS digest) AS name
        ON CONFLICT DO NOTHING
 RETURNING channel, status
), settled AS (
    SELECT channel, status, count(*) FROM inserted WHERE status <> 'pending' GROUP BY channel, status
)
SELECT (array_agg(user_id ORDER BY user_id DESC))[1], count(*),
       (SELECT count(*) FROM inserted WHERE status = 'pending'),
       (SELECT json_agg(settled) FROM settled)
  FROM audience
"""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to be told: a query for one column of user ids, and the time as of which that is asked.

    ``as_of`` is a parameter of the query too.
    """

    sql: str
    parameters: Mapping[str, Any]
    as_of: datetime


class Chunk(NamedTuple):
    """How many deliveries it made that wait to be sent, and its last user, or None if it was the last."""

    pending: int
    last_user: UUID | None


def _columns(notification: Notification) -> dict[str, Any]:
    names = ("kind", "title", "body", "severity", "source_type", "source_id", "dedup_key", "created_at")
    json = {"data": Jsonb(notification.data), "texts": Jsonb(notification.texts)}
    return {name: getattr(notification, name) for name in names} | json


def _fan_out_chunk(
    notification: Notification, audience: Audience, after: UUID | None, now: datetime
) -> Chunk:
    """Store the notification, unless it is there, and make the deliveries of the next chunk."""
    default_channel = registry.get("third_party")
    parameters = {
        **_columns(notification),
        **audience.parameters,
        "as_of": audience.as_of,
        "id_prefix": f"{int(audience.as_of.timestamp() * 1000):012x}",
        "after": after,
        "chunk": settings.FANOUT_CHUNK,
        "now": now,
        "expires_at": now + timedelta(hours=settings.DELIVERY_MAX_AGE_H),
        "default_channel": default_channel.name,
        "default_address": settings.THIRD_PARTY_URL,
        "default_lane": default_channel.lane(settings.THIRD_PARTY_URL),
        "instant": [channel.name for channel in registry.CHANNELS.values() if channel.instant],
        "revocable": _revocable_channels(),
    }
    last_user, members, pending, settled = _run_prepared(_FAN_OUT.format(audience=audience.sql), parameters)
    for each in settled or ():
        metrics.add("deliveries", each["channel"], each["status"], amount=each["count"])
    return Chunk(pending, last_user if members == settings.FANOUT_CHUNK else None)


def _run_prepared(sql: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """Run a statement on Django's connection, prepared, which Django's own cursors never do."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        row = cursor.execute(sql, parameters).fetchone()
    assert row is not None
    return row


def _revocable_channels() -> list[str]:
    return [channel.name for channel in registry.CHANNELS.values() if channel.revocable]


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
    return Audience(
        sql="""
            SELECT user_id FROM accounts_membership
             WHERE shop_id = %(shop)s AND left_at IS NULL AND joined_at <= %(as_of)s
            """,
        parameters={"shop": alert.shop_id},
        as_of=alert.received_at,
    )


# As SQL, since Django would build these anew for each alert, at more than they cost to run. Whoever else
# is at an alert holds its row's lock, and goes on until it is done.
_TAKE = """
SELECT alert.alert_uuid, url, location, label, time_spotted, received_at, fanned_out_to,
       shop_id, shop.slug, shop.name,
       set_config('synchronous_commit', 'off', true)  -- what a crash undoes is done again
  FROM notifications_alert AS alert JOIN accounts_shop AS shop ON shop.id = shop_id
 WHERE fanned_out_at IS NULL AND (%(alert)s::uuid IS NULL OR alert_uuid = %(alert)s)
 ORDER BY received_at LIMIT %(limit)s
   FOR NO KEY UPDATE OF alert SKIP LOCKED
"""
_PROGRESS = """
UPDATE notifications_alert AS alert
   SET fanned_out_to = done.last_user,
       fanned_out_at = CASE WHEN done.last_user IS NULL THEN %(now)s::timestamptz END
  FROM unnest(%(alerts)s::uuid[], %(last_users)s::uuid[]) AS done (alert_uuid, last_user)
 WHERE alert.alert_uuid = done.alert_uuid
"""
# Alerts that one transaction takes: enough to catch up, few enough that the first doesn't wait for long.
TAKE = 8


def _take(cursor: CursorWrapper, alert_uuid: UUID | None) -> list[Alert]:
    cursor.execute(_TAKE, {"alert": alert_uuid, "limit": TAKE})
    names = ("alert_uuid", "url", "location", "label", "time_spotted", "received_at", "fanned_out_to")
    alerts = []
    for row in cursor.fetchall():
        alert = Alert(**dict(zip(names, row, strict=False)), shop_id=row[7])
        alert.shop = Shop(id=row[7], slug=row[8], name=row[9])
        alerts.append(alert)
    return alerts


def fan_out_waiting(alert_uuid: UUID | None = None) -> bool:
    """Make the next chunk of deliveries of the alerts that wait; returns whether more may be waiting.

    Running it again, or many times at once, makes nothing twice. A large shop takes several chunks, so
    that the first members are told while the last are still being written; how far it has come stands in
    the alert's row, for whoever goes on.

    Args:
        alert_uuid: only this alert, if given.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        alerts = _take(cursor, alert_uuid)
        if not alerts:
            return False
        now = timezone.now()
        chunks = [
            _fan_out_chunk(alert_notification(alert), alert_audience(alert), alert.fanned_out_to, now)
            for alert in alerts
        ]
        done: dict[str, Any] = {
            "now": now,
            "alerts": [alert.pk for alert in alerts],
            "last_users": [c.last_user for c in chunks],
        }
        cursor.execute(_PROGRESS, done)
    wake.publish(revocable=bool(_revocable_channels()), deliveries=sum(chunk.pending for chunk in chunks))
    return len(alerts) == TAKE or any(chunk.last_user for chunk in chunks)


def alerts_fan_out() -> None:
    """Fan out every alert that waits, oldest first; one that can't be does not keep the others from it."""
    try:
        while fan_out_waiting():
            pass
    except (DatabaseError, ValueError):
        log.exception("fan_out_failed")
        waiting = (
            Alert.objects.filter(fanned_out_at=None).order_by("received_at").values_list("pk", flat=True)
        )
        for alert_uuid in waiting[:1000]:
            try:
                while fan_out_waiting(alert_uuid):
                    pass
            except (DatabaseError, ValueError):
                log.exception("fan_out_failed", alert=str(alert_uuid))


def alert_fan_out(alert_uuid: UUID) -> None:
    """Fan out one alert."""
    while fan_out_waiting(alert_uuid):
        pass


def notify_contact_point(
    contact_point: ContactPoint, *, kind: str, title: str, body: str, data: dict[str, Any], dedup_key: str
) -> Delivery:
    """Tell one contact point something, whatever its owner's preferences (a test send, say)."""
    channel, now = registry.get(contact_point.channel), timezone.now()
    with transaction.atomic():
        notification, _ = Notification.objects.get_or_create(
            dedup_key=dedup_key,
            defaults={
                "kind": kind,
                "title": title,
                "body": body,
                "data": data,
                "severity": Severity.STANDARD,
                "source_type": "contact_point",
                "source_id": str(contact_point.pk),
            },
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
