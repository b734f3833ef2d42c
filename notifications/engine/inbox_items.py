"""Inbox items that were planned for a time: at that time each gets its number and appears.

Each item takes the next number of its inbox in the transaction that makes it appear, and its row is locked
meanwhile, so that a stop that is committed before keeps it from appearing; see notifications.models.Inbox.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from config import sql
from config.statements import named
from notifications import metrics
from notifications.inbox import live

#: The lane of items that wait for their time; see notifications.channels.inbox.
LANE: Final = "inbox"
#: Items that one statement makes appear.
MOST: Final = 1000

# The time at which an item appears is the one that its inbox shows. The inboxes are raised in the order of
# their people, as in the fan-out, so that two that meet in many can't deadlock.
_APPEAR: Final = """
WITH item AS MATERIALIZED (
    SELECT outgoing.delivery_id AS id, outgoing.due_at FROM notifications_outgoing AS outgoing
     WHERE {chosen}
       FOR UPDATE SKIP LOCKED
), ended AS (
    DELETE FROM notifications_outgoing WHERE delivery_id IN (SELECT id FROM item)
), owned AS (
    SELECT item.id, item.due_at, delivery.user_id
      FROM item JOIN notifications_delivery AS delivery ON delivery.id = item.id
), counter AS (
    INSERT INTO notifications_inbox (user_id, last_number)
    SELECT user_id, count(*) FROM owned GROUP BY user_id ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE
       SET last_number = notifications_inbox.last_number + EXCLUDED.last_number
 RETURNING user_id, last_number
), numbered AS (
    SELECT owned.id, counter.last_number + 1
           - row_number() OVER (PARTITION BY owned.user_id ORDER BY owned.due_at DESC, owned.id DESC)
           AS number
      FROM owned JOIN counter ON counter.user_id = owned.user_id
), sent AS (
    UPDATE notifications_delivery AS delivery
       SET status = 'sent', reason = '', sent_at = %(now)s, created_at = %(now)s
      FROM numbered WHERE delivery.id = numbered.id
 RETURNING delivery.id, delivery.user_id, delivery.notification_id, delivery.language, numbered.number
)
INSERT INTO notifications_inboxitem (delivery_id, user_id, notification_id, number, language, created_at)
SELECT id, user_id, notification_id, number, language, %(now)s FROM sent
RETURNING user_id, delivery_id, number
"""

APPEAR_DUE: Final = _APPEAR.format(
    chosen="""revocable AND lane = 'inbox' AND due_at <= %(now)s AND expires_at > %(now)s
     ORDER BY due_at LIMIT %(most)s"""
)
named("inbox.appear.due", "Have the items appear whose time has come.", APPEAR_DUE)
_APPEAR_THESE: Final = _APPEAR.format(chosen="delivery_id = ANY (%(ids)s)")
named("inbox.appear.these", "Have these items appear now.", _APPEAR_THESE)


class Appeared(NamedTuple):
    """An item that is in its inbox now."""

    user_id: UUID
    id: UUID
    number: int


def appear(ids: Iterable[UUID], *, now: datetime) -> list[Appeared]:
    """Make these items appear now, in the caller's transaction; announce them after its commit."""
    parameters: dict[str, Any] = {"ids": list(ids), "now": now}
    return [Appeared._make(row) for row in sql.rows(_APPEAR_THESE, parameters)]


def announce(appeared: Sequence[Appeared]) -> None:
    """Count the items that appeared, and tell who reads these inboxes."""
    metrics.add("deliveries", "inbox", "sent", amount=len(appeared))
    live.announce([each.user_id for each in appeared])
