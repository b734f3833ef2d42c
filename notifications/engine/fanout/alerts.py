"""The fan-out of alerts: whichever wait, oldest first, a chunk of each at a time."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction

from accounts.models import Shop
from config import clock
from config.sql import run_prepared
from config.statements import named
from notifications.engine import wake
from notifications.engine.content import content_of, preparations
from notifications.engine.fanout.audience import Audience
from notifications.engine.fanout.chunk import SMALL, Chunk, Finer, fan_out_alerts, fan_out_chunk, tell
from notifications.engine.fanout.grouping import alerts_group
from notifications.messages.compose import notification_of
from notifications.models import Alert, Notification

log = structlog.get_logger(__name__)


def alert_notification(alert: Alert) -> Notification:
    """Return what is told of an alert (not stored yet)."""
    data = {
        "url": alert.url,
        "alert_uuid": str(alert.alert_uuid),
        "location": alert.location,
        "label": alert.label,
        "time_spotted": alert.time_spotted.timestamp(),
    }
    if alert.is_grouped:
        data["grouped_with"] = str(alert.grouped_with)
    return notification_of(
        kind="alert",
        data=data,
        context={**data, "shop": alert.shop.name},
        severity=alert.severity,
        source_type="alert",
        source_id=str(alert.alert_uuid),
        dedup_key=f"alert:{alert.alert_uuid}",
        shop_id=alert.shop_id,
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
        fact_at=_told_at(alert),
    )


def _told_at(alert: Alert) -> datetime:
    """Return the time in the ids of an alert's deliveries: when it was spotted, as its camera says.

    By that the ids are the same if the alert comes again after a crash. But lists, figures and spans of time
    go by ids, and the clock of a camera may be years off. Then it is when the alert arrived, to the last ten
    minutes: nearly always that is the same again too.
    """
    arrived = alert.received_at
    if arrived - LATE <= alert.time_spotted <= arrived + FAST:
        return alert.time_spotted
    return arrived.replace(minute=arrived.minute // 10 * 10, second=0, microsecond=0)


# As SQL, since Django would build these anew for each alert, at more than they cost to run. Whoever else
# is at an alert holds its row's lock, and goes on until it is done.
_TAKE = """
SELECT alert.alert_uuid, url, location, label, time_spotted, received_at, fanned_out_to, grouped_with,
       shop_id, shop.slug, shop.name, group_alerts_s,
       fanned_out_to IS NULL AND group_alerts_s = 0 AND (
           SELECT count(*) FROM (
                  SELECT FROM accounts_membership AS member
                   WHERE member.shop_id = alert.shop_id AND left_at IS NULL LIMIT %(small)s + 1) AS member
           ) <= %(small)s AS is_small,
       set_config('synchronous_commit', 'off', true)  -- what a crash undoes is done again
  FROM notifications_alert AS alert JOIN accounts_shop AS shop ON shop.id = shop_id
 WHERE fanned_out_at IS NULL AND (%(alert)s::uuid IS NULL OR alert_uuid = %(alert)s)
   AND alert_uuid <> ALL (%(apart)s::uuid[])
 ORDER BY received_at LIMIT %(limit)s
   FOR NO KEY UPDATE OF alert SKIP LOCKED
"""
named("fan-out.take", "Lock the alerts that wait, oldest first.", _TAKE)
_FINER = """
SELECT EXISTS (SELECT FROM notifications_subscription WHERE kind IN ('alert', '')),
       EXISTS (SELECT FROM notifications_preference WHERE quiet_from IS NOT NULL),
       EXISTS (SELECT FROM notifications_channelhours)
"""
named("fan-out.preferences", "Ask whether anybody has rules, quiet hours or hours of a channel.", _FINER)
_PROGRESS = """
UPDATE notifications_alert AS alert
   SET fanned_out_to = done.last_user,
       fanned_out_at = CASE WHEN done.last_user IS NULL THEN %(now)s::timestamptz END
  FROM unnest(%(alerts)s::uuid[], %(last_users)s::uuid[]) AS done (alert_uuid, last_user)
 WHERE alert.alert_uuid = done.alert_uuid
"""
named("fan-out.progress", "Note how far the fan-out of alerts has come.", _PROGRESS)
# An alert spotted longer ago, or further ahead, gives its ids another time; many clocks are fast by seconds.
LATE, FAST = timedelta(hours=1), timedelta(minutes=1)
# Alerts that one transaction takes: enough to catch up, few enough that the first doesn't wait for long; and
# how many of these may be to more than SMALL people, each of which is a statement of its own.
TAKE, TAKE_LARGE = 64, 8
# People of an alert's first chunk: a large one keeps one core busy, and the others have nothing to send yet.
FIRST_CHUNK = 800


def _take(alert_uuid: UUID | None) -> tuple[list[Alert], list[Alert]]:
    """Lock alerts that wait; returns the small ones whose shops don't group, and the others."""
    apart = [] if alert_uuid else _set_apart()
    taken = run_prepared(_TAKE, {"alert": alert_uuid, "apart": apart, "limit": TAKE, "small": SMALL})
    names = (
        "alert_uuid", "url", "location", "label", "time_spotted", "received_at", "fanned_out_to",
        "grouped_with",
    )  # fmt: skip
    small, large = list[Alert](), list[Alert]()
    for *columns, shop_id, slug, name, group_alerts_s, is_small, _ in taken:
        alert = Alert(**dict(zip(names, columns, strict=True)))
        alert.shop = Shop(id=shop_id, slug=slug, name=name, group_alerts_s=group_alerts_s)
        (small if is_small else large).append(alert)
    return small, large


# What preferences there are, and when that was looked up (time.monotonic).
_finer: tuple[Finer, float] | None = None
FINER_FOR_S = 5.0


def _finer_lately() -> Finer:
    """Return what preferences there are, or were a moment ago.

    The statement for small alerts leaves them where it then finds some that it was not to know of.
    """
    global _finer
    now = time.monotonic()
    if _finer is None or now - _finer[1] > FINER_FOR_S:
        _finer = _finer_now(), now
    return _finer[0]


def _finer_now() -> Finer:
    return Finer(*run_prepared(_FINER, {})[0])


def fan_out_arrived(alerts: Sequence[Alert]) -> bool:
    """Fan out alerts that have just arrived, as far as they are small and nobody has them.

    Returns whether that were all. Raises DatabaseError: ``fan_out_waiting`` is to see to what is left.
    """
    taken, finer = 0, _finer_lately()
    for these in _by_severity(alerts):
        chunk, hand_over = _fan_out_small(these, now=clock.now(), finer=finer, repeats=False)
        hand_over()
        tell([chunk])
        taken += chunk.taken
    return taken == len(alerts)


def fan_out_waiting(alert_uuid: UUID | None = None) -> bool:
    """Make the next chunk of deliveries of the alerts that wait, or of one; returns whether more may wait.

    Running it again, or many times at once, makes nothing twice. A large shop takes several chunks, so
    that the first members are told while the last are still being written; how far it has come stands in
    the alert's row, for whoever goes on.
    """
    try:
        return _fan_out_next(alert_uuid, repeats=False)
    except IntegrityError:  # some were made before, and the alert's row does not say so
        return _fan_out_next(alert_uuid, repeats=True)


def _fan_out_next(alert_uuid: UUID | None, *, repeats: bool) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        small, large = _take(alert_uuid)
        if not small and not large:
            return False
        large_now = large[:TAKE_LARGE]
        # Before anything else is locked: whoever groups for the same shop waits here.
        alerts_group([each for each in large_now if each.shop.group_alerts_s and each.grouped_with is None])
        now, finer = clock.now(), _finer_now()
        made = [_fan_out_small(these, now=now, finer=finer, repeats=repeats) for these in _by_severity(small)]
        chunks_of_large = [
            fan_out_chunk(
                alert_notification(alert),
                alert_audience(alert),
                inbox=False,
                after=alert.fanned_out_to,
                now=now,
                finer=finer,
                size=FIRST_CHUNK if alert.fanned_out_to is None else None,
                repeats=repeats,
                grouped=alert.is_grouped,
            )
            for alert in large_now
        ]
        if large_now:
            pks, ends = [alert.pk for alert in large_now], [chunk.last_user for chunk in chunks_of_large]
            cursor.execute(_PROGRESS, {"now": now, "alerts": pks, "last_users": ends})
        chunks = [*(chunk for chunk, _ in made), *chunks_of_large]
        if any(chunk.inboxes for chunk in chunks):
            # Readers go by the numbers of items: a crash must not give one that was seen to another item.
            cursor.execute("SET LOCAL synchronous_commit TO DEFAULT")
    for _, hand_over in made:
        hand_over()
    tell(chunks)
    taken_all = len(small) + len(large) < TAKE and len(large) <= TAKE_LARGE
    return not taken_all or any(chunk.last_user for chunk in chunks)


def _by_severity(alerts: Sequence[Alert]) -> list[list[Alert]]:
    severities = sorted({alert.severity for alert in alerts})
    return [[alert for alert in alerts if alert.severity == severity] for severity in severities]


def _fan_out_small(
    alerts: Sequence[Alert], *, now: datetime, finer: Finer, repeats: bool
) -> tuple[Chunk, Callable[[], None]]:
    """Fan out small alerts of one severity; returns also what gets their rows to the sender.

    It takes them after the commit, with what they tell, and need not look for either.
    """
    told = [alert_notification(alert) for alert in alerts]
    sender = wake.sender if wake.sender is not None and wake.sender.has_room(len(alerts)) else None
    chunk = fan_out_alerts(
        alerts,
        told,
        [_told_at(alert) for alert in alerts],
        now=now,
        finer=finer,
        lease_until=now + timedelta(seconds=settings.LEASE_S) if sender else None,
        repeats=repeats,
    )
    if sender is None or not chunk.claimed:
        return chunk, lambda: None
    rows = [(row, content_of(row, told[fact], time_zone=zone)) for fact, row, zone in chunk.claimed]
    for preparation in preparations([row for row, _ in rows], [content for _, content in rows]):
        preparation.take(run_prepared(preparation.sql, preparation.parameters))
    return chunk, partial(sender.take_over, rows)


# What is wrong with an alert itself; all else may be the database's state, and pass for all of them.
_ITS_OWN_FAULT = (DataError, IntegrityError, ValueError)
# Alerts that could not be fanned out for such a fault, and until when each is left alone (time.monotonic).
# With one of them in a batch, all of it would go one by one, every second, for as long as it waits.
_apart: dict[UUID, float] = {}
APART_FOR_S = 600.0


def _set_apart() -> list[UUID]:
    now = time.monotonic()
    return [alert_uuid for alert_uuid, until in _apart.items() if until > now]


def alerts_fan_out() -> None:
    """Fan out every alert that waits, oldest first; one that can't be does not keep the others from it.

    It is logged and set apart, and tried again by this process ten minutes later.
    """
    try:
        while fan_out_waiting():
            pass
    except (DatabaseError, ValueError):
        log.exception("fan_out_failed")
        waiting = Alert.objects.filter(fanned_out_at=None).exclude(pk__in=_set_apart())
        for alert_uuid in waiting.order_by("received_at").values_list("pk", flat=True)[:1000]:
            _fan_out_alone(alert_uuid)


def _fan_out_alone(alert_uuid: UUID) -> None:
    _apart.pop(alert_uuid, None)
    try:
        alert_fan_out(alert_uuid)
    except (DatabaseError, ValueError) as error:
        log.exception("fan_out_failed", alert=str(alert_uuid))
        if isinstance(error, _ITS_OWN_FAULT):
            _apart[alert_uuid] = time.monotonic() + APART_FOR_S


def alert_fan_out(alert_uuid: UUID) -> None:
    """Fan out one alert."""
    while fan_out_waiting(alert_uuid):
        pass
