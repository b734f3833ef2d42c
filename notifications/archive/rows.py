"""A month of history as it lies in the database, read in batches, each from a short snapshot of its own."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from config import sql
from config.statements import named
from notifications.archive.tables import (
    ACTIONS,
    ALERTS,
    ATTEMPTS,
    DELIVERIES,
    NOTIFICATIONS,
    Row,
    Table,
    record_json,
)
from notifications.archive.tree import leaf_hash
from notifications.history.month import Month
from notifications.ids import moment_of
from notifications.snapshots import snapshot

BATCH: Final = 1000
_T = TypeVar("_T")

_BY_ID: Final = """
SELECT {select} FROM {source} WHERE id > %(after)s AND id < %(end)s ORDER BY id LIMIT %(most)s
"""
_BY_IDS: Final = "SELECT {select} FROM {source} WHERE id = ANY (%(ids)s::uuid[])"
_ATTEMPTS: Final = """
SELECT {select} FROM {source}
 WHERE delivery_id > %(after)s AND delivery_id <= %(last)s ORDER BY delivery_id, number
"""
_ALERTS_BY_UUID: Final = "SELECT {select} FROM {source} WHERE alert_uuid = ANY (%(ids)s::uuid[])"
# What was accepted and never told: whatever was told goes with its notification.
_ALERTS_UNTOLD: Final = """
SELECT {select} FROM {source}
 WHERE (received_at, alert_uuid) > (%(at)s, %(after)s) AND received_at < %(end)s
   AND NOT EXISTS (
       SELECT FROM notifications_notification AS told
        WHERE told.source_type = 'alert' AND told.source_id = alert_uuid::text)
 ORDER BY received_at, alert_uuid LIMIT %(most)s
"""
_COUNTS: Final = """
SELECT (SELECT count(*) FROM notifications_notification WHERE id >= %(first)s AND id < %(end)s),
       (SELECT count(*) FROM notifications_delivery WHERE id >= %(first)s AND id < %(end)s),
       (SELECT count(*) FROM notifications_attempts JOIN notifications_delivery ON id = delivery_id
         WHERE delivery_id >= %(first)s AND delivery_id < %(end)s),
       (SELECT count(*) FROM notifications_deliveryaction WHERE id >= %(first)s AND id < %(end)s)
"""
named("archive.counts", "Count a month's rows.", _COUNTS)
_LIVE: Final = (
    "SELECT count(*) FROM notifications_outgoing WHERE delivery_id >= %(first)s AND delivery_id < %(end)s"
)
named("archive.live", "Count a month's deliveries that have not ended.", _LIVE)
_OLDEST: Final = """
SELECT (SELECT min(received_at) FROM notifications_alert),
       (SELECT id FROM notifications_notification ORDER BY id LIMIT 1),
       (SELECT id FROM notifications_delivery ORDER BY id LIMIT 1)
"""
named("archive.oldest", "Find what the oldest rows are.", _OLDEST)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery with its attempts, and what it tells of, as JSON."""

    row: Row
    attempts: list[Row]
    notification: bytes | None
    alert: bytes | None

    @property
    def record(self) -> bytes:
        return record_json(
            delivery=DELIVERIES.json(self.row),
            attempts=[ATTEMPTS.json(each) for each in self.attempts],
            notification=self.notification,
            alert=self.alert,
        )

    @property
    def leaf(self) -> bytes:
        return leaf_hash(self.record)


def _run(cursor: CursorWrapper, statement: str, table: Table, **parameters: Any) -> list[Row]:
    cursor.execute(_of(table, statement), parameters)
    return cursor.fetchall()


def _of(table: Table, statement: str) -> str:
    return statement.format(select=table.select, source=table.source)


named("archive.notifications", "Read a batch of a month's notifications.", _of(NOTIFICATIONS, _BY_ID))
named("archive.deliveries", "Read a batch of a month's deliveries.", _of(DELIVERIES, _BY_ID))
named("archive.delivery", "Read deliveries by their ids.", _of(DELIVERIES, _BY_IDS))
named("archive.attempts", "Read the attempts of a batch of deliveries.", _of(ATTEMPTS, _ATTEMPTS))
named("archive.alerts", "Read the alerts that notifications tell of.", _of(ALERTS, _ALERTS_BY_UUID))
named("archive.alerts.untold", "Read a month's alerts of which nobody was told.", _of(ALERTS, _ALERTS_UNTOLD))
named("archive.actions", "Read a batch of a month's replays and stops.", _of(ACTIONS, _BY_ID))


def _by_id(
    table: Table, month: Month, read: Callable[[CursorWrapper, list[Row], UUID], Iterable[_T]]
) -> Iterator[_T]:
    """Yield what is read with each batch of a month's rows, which follow the id that is given with them."""
    after = UUID(int=month.first_id.int - 1)
    while True:
        with snapshot() as cursor:
            rows = _run(cursor, _BY_ID, table, after=after, end=month.end_id, most=BATCH)
            batch = read(cursor, rows, after)
        yield from batch
        if len(rows) < BATCH:
            return
        after = UUID(rows[-1][0])


def of_table(table: Table, month: Month) -> Iterator[Row]:
    """Yield a month's rows in the order of their ids."""
    return _by_id(table, month, lambda _, rows, after: rows)


def deliveries(month: Month) -> Iterator[Delivered]:
    """In the order of their ids."""
    return _by_id(DELIVERIES, month, _with_records)


def one(delivery_id: UUID) -> Delivered | None:
    """Return one delivery as it would be archived now."""
    with snapshot() as cursor:
        rows = _run(cursor, _BY_IDS, DELIVERIES, ids=[delivery_id])
        batch = _with_records(cursor, rows, UUID(int=delivery_id.int - 1))
    return next(batch, None)


def _with_records(cursor: CursorWrapper, rows: list[Row], after: UUID) -> Iterator[Delivered]:
    """Read at once what goes with these deliveries; their records are made one by one."""
    if not rows:
        return iter(())
    attempts: defaultdict[str, list[Row]] = defaultdict(list)
    for row in _run(cursor, _ATTEMPTS, ATTEMPTS, after=after, last=rows[-1][0]):
        attempts[row[0]].append(row)
    place = DELIVERIES.index("notification_id")
    told = _run(cursor, _BY_IDS, NOTIFICATIONS, ids=list({row[place] for row in rows}))
    alerts = {row[0]: ALERTS.json(row) for row in _alerts_of(cursor, told)}
    facts = {row[0]: (NOTIFICATIONS.json(row), alerts.get(alert_of(row) or "")) for row in told}
    return (Delivered(row, attempts[row[0]], *facts.get(row[place], (None, None))) for row in rows)


def alert_of(notification: Row) -> str | None:
    """Return the alert that a notification tells of."""
    source_type = notification[NOTIFICATIONS.index("source_type")]
    return notification[NOTIFICATIONS.index("source_id")] if source_type == "alert" else None


def _alerts_of(cursor: CursorWrapper, told: Iterable[Row]) -> list[Row]:
    wanted = [alert for row in told if (alert := alert_of(row)) and _is_uuid(alert)]
    found = {row[0]: row for row in _run(cursor, _ALERTS_BY_UUID, ALERTS, ids=wanted)} if wanted else {}
    return [found[alert] for alert in dict.fromkeys(wanted) if alert in found]


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def alerts(month: Month) -> Iterator[Row]:
    """Those that the month's notifications tell of, in that order; then those that none tells of.

    A notification has the time of its deliveries, by which they are archived and dropped. An alert may have
    arrived up to an hour later (notifications.engine.fanout.alerts).
    """
    yield from _by_id(NOTIFICATIONS, month, lambda cursor, told, _: _alerts_of(cursor, told))
    at, after = month.start, UUID(int=0)
    while True:
        with snapshot() as cursor:
            rows = _run(cursor, _ALERTS_UNTOLD, ALERTS, at=at, after=after, end=month.end, most=BATCH)
        yield from rows
        if len(rows) < BATCH:
            return
        at, after = rows[-1][ALERTS.index("received_at")], UUID(rows[-1][0])


def counts(month: Month) -> dict[str, int]:
    """Count a month's rows, alerts left out: those can't be counted without reading them."""
    with snapshot() as cursor:
        # A month that has just been filled may have statistics by which it is empty.
        cursor.execute("SET LOCAL enable_nestloop = off")
        (found,) = sql.rows(_COUNTS, {"first": month.first_id, "end": month.end_id})
    names = [table.name for table in (NOTIFICATIONS, DELIVERIES, ATTEMPTS, ACTIONS)]
    return dict(zip(names, found, strict=True))


def live(month: Month) -> int:
    """Count the month's deliveries that have not ended."""
    with snapshot():
        return int(sql.value(_LIVE, {"first": month.first_id, "end": month.end_id}))


def oldest() -> datetime | None:
    """Return when the oldest there is was made."""
    with snapshot():
        ((received_at, *ids),) = sql.rows(_OLDEST)
    times = [moment_of(each) for each in ids if each]
    return min([*times, received_at] if received_at else times, default=None)
