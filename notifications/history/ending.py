"""The end of the months that are too old.

What hangs on a month's deliveries goes in slices, with the alerts and notifications; then the deliveries and
attempts themselves, by dropping their partitions. A delivery whose notification is gone is one whose month is
ending: no list shows it, and the audit asks nothing of it.
"""

# ruff: noqa: S608  (names of tables)

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import OperationalError, connection, models, transaction

from config import sql
from config.statements import named
from notifications.database import alone
from notifications.history.month import Month
from notifications.history.months import ATTEMPTS, DELIVERIES, LOCK_TIMEOUT, Partition, partitions
from notifications.ids import first_id, moment_of
from notifications.models import Delivery, Notification

log = structlog.get_logger(__name__)

#: Called with each month that is to end, while all of it is still there. Whatever raises keeps the month,
#: and is called again an hour later.
before_drop: list[Callable[[Month], None]] = []

# Notifications of one slice, each with all that hangs on its deliveries.
SLICE: Final = 1000
# What was begun while a month could still be replayed is over by then.
GRACE: Final = timedelta(hours=1)
# Held by whoever ends months.
LOCK: Final = 0x7AC4
# Stands at a partition whose month has begun to end: from then on it is incomplete.
ENDING: Final = "ending"

_IS_ENDING: Final = "SELECT obj_description(%s::regclass, 'pg_class')"
named("history.is-ending", "Ask whether a month has begun to end.", _IS_ENDING)
_OF_DELIVERIES: Final = "delivery_id >= %(first)s AND delivery_id < %(last)s"
_LIVE_DELIVERY: Final = f"SELECT EXISTS (SELECT FROM notifications_outgoing WHERE {_OF_DELIVERIES})"
named("history.live-delivery", "Ask whether a month has deliveries that have not ended.", _LIVE_DELIVERY)
_LIVE_ALERT: Final = """
SELECT EXISTS (SELECT FROM notifications_alert WHERE fanned_out_at IS NULL AND received_at < %(end)s)
"""
named("history.live-alert", "Ask whether a month has alerts that wait for their deliveries.", _LIVE_ALERT)
_LIVE_BROADCAST: Final = """
SELECT EXISTS (SELECT FROM notifications_broadcast
                WHERE notification_id >= %(first)s AND notification_id < %(last)s)
"""
named("history.live-broadcast", "Ask whether a month has broadcasts under way.", _LIVE_BROADCAST)
_FIRST: Final = (
    "SELECT id FROM notifications_notification WHERE id < %(last)s ORDER BY id LIMIT 1",
    "SELECT id FROM notifications_delivery WHERE id < %(last)s ORDER BY id LIMIT 1",
)
named("history.first-notification", "Find the oldest notification of a month.", _FIRST[0])
named("history.first-delivery", "Find the oldest delivery of a month.", _FIRST[1])
_SLICE_END: Final = """
SELECT id FROM notifications_notification WHERE id >= %(first)s AND id < %(last)s
 ORDER BY id OFFSET %(most)s LIMIT 1
"""
named("history.slice", "Find where a slice of a month's notifications ends.", _SLICE_END)
_OF_THE_SLICE: Final = "id >= %(first)s AND id < %(last)s"
_ALERTS: Final = f"""
DELETE FROM notifications_alert USING notifications_notification AS told
 WHERE {_OF_THE_SLICE} AND told.source_type = 'alert' AND told.source_id::uuid = alert_uuid
"""
named("history.alerts", "Delete the alerts that a slice of notifications tells of.", _ALERTS)
_NOTIFICATIONS: Final = f"DELETE FROM notifications_notification WHERE {_OF_THE_SLICE}"
named("history.notifications", "Delete a slice of notifications.", _NOTIFICATIONS)
# Of which nobody was to be told anything.
_UNTOLD_ALERTS: Final = """
DELETE FROM notifications_alert WHERE alert_uuid = ANY (ARRAY (
    SELECT alert_uuid FROM notifications_alert AS alert
     WHERE received_at >= %(start)s AND received_at < %(end)s AND fanned_out_at IS NOT NULL
       AND NOT EXISTS (SELECT FROM notifications_notification
                        WHERE source_type = 'alert' AND source_id = alert_uuid::text)
     LIMIT %(most)s))
"""
named("history.untold-alerts", "Delete old alerts of which nobody was told.", _UNTOLD_ALERTS)


def kept_since(now: datetime) -> datetime | None:
    """Return from when on the history is kept; None: all of it."""
    days = settings.HISTORY_RETENTION_DAYS
    return now - timedelta(days=days) if days else None


def months_end(now: datetime, *, budget_s: float) -> bool:
    """End the months that are past their time, for so many seconds; returns whether there is more to do.

    One with something live in it, that a hook keeps, or whose tables are in use for long, is left for the
    next call.
    """
    since = kept_since(now)
    if since is None:
        return False
    # No hook must be asked about a month that is gone.
    until = time.monotonic() + budget_s
    with alone(LOCK) as is_alone:
        for partition in partitions(DELIVERIES) if is_alone else ():
            if partition.end > since - GRACE:
                return False
            if not _may_end(partition):
                continue
            for _ in _slices(partition):
                if time.monotonic() > until:
                    return True
            _drop(partition)
    return False


def _may_end(partition: Partition) -> bool:
    """Whether a month is ending, or can begin to; then it does."""
    if sql.rows(_IS_ENDING, [partition.name]) == [(ENDING,)]:
        return True
    parameters: dict[str, Any] = {**_ids(partition), "end": partition.end}
    if any(sql.value(question, parameters) for question in (_LIVE_DELIVERY, _LIVE_ALERT, _LIVE_BROADCAST)):
        log.warning("history_month_live", partition=partition.name)
        return False
    try:
        for month in _months(partition):
            for hook in before_drop:
                hook(month)
    except Exception:
        log.exception("history_month_kept", partition=partition.name)
        return False
    sql.execute(f"COMMENT ON TABLE {partition.name} IS '{ENDING}'")
    return True


def _ids(partition: Partition) -> dict[str, UUID]:
    """Return the lowest id of a partition, and the one that all of its are below."""
    return {
        "first": first_id(partition.start) if partition.start else UUID(int=0),
        "last": first_id(partition.end),
    }


def _months(partition: Partition) -> Iterator[Month]:
    """Yield the months that a partition holds: one, or from the first row's on where it has no start."""
    start = partition.start
    if start is None:
        ids: list[UUID] = [pk for question in _FIRST for pk in sql.column(question, _ids(partition))]
        start = moment_of(min(ids)) if ids else partition.end
    while start < partition.end:
        month = Month.of(start)
        yield month
        start = month.end


def _slices(partition: Partition) -> Iterator[None]:
    """Delete all that goes with a month's deliveries; yields between two slices."""
    first, end = _ids(partition).values()
    while (first := _slice(first, end)) < end:
        yield
    start = partition.start or datetime(1970, 1, 1, tzinfo=UTC)
    while sql.execute(_UNTOLD_ALERTS, {"start": start, "end": partition.end, "most": SLICE}) == SLICE:
        yield


def _slice(first: UUID, end: UUID) -> UUID:
    """Delete the next notifications with all that hangs on them; returns the id to go on from."""
    with transaction.atomic(), connection.cursor() as cursor:
        found = sql.column(_SLICE_END, {"first": first, "last": end, "most": SLICE})
        # Between two milliseconds, since ids of one are in no order that deliveries share.
        last = UUID(int=((found[0].int >> 80) + 1) << 80) if found else end
        span = {"first": first, "last": last}
        # Rows that are one delivery's each: what is in inboxes, what failed, calls to end.
        for relation in Delivery._meta.related_objects:
            if relation.one_to_one:
                table = relation.related_model._meta.db_table
                cursor.execute(f"DELETE FROM {table} WHERE {_OF_DELIVERIES}", span)
        # What names a notification and outlives it.
        for relation in Notification._meta.related_objects:
            if relation.on_delete is models.SET_NULL:
                name, told = relation.field.name, Notification.objects.filter(pk__gte=first, pk__lt=last)
                relation.related_model._base_manager.filter(**{f"{name}__in": told}).update(**{name: None})
        cursor.execute(_ALERTS, span)
        cursor.execute(_NOTIFICATIONS, span)
    return last


def _drop(partition: Partition) -> None:
    suffix = partition.name.removeprefix(DELIVERIES.name)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LOCK_TIMEOUT)
            both = f"ONLY {DELIVERIES.name}, ONLY {ATTEMPTS.name}"
            cursor.execute(f"LOCK TABLE {both} IN ACCESS EXCLUSIVE MODE")
            if sql.value(_LIVE_DELIVERY, _ids(partition)):
                log.error("history_month_live", partition=partition.name)
                return
            cursor.execute(f"DROP TABLE {DELIVERIES.name}{suffix}, {ATTEMPTS.name}{suffix}")
    except OperationalError as error:
        log.warning("history_in_use", partition=partition.name, error=str(error).strip())
        return
    log.info("history_month_dropped", partition=partition.name)
