"""Inbox items that were planned for a time: at that time the row becomes the message, with its number.

Each item takes the next number of its inbox in the transaction that makes it appear, and its row is locked
meanwhile, so that a stop that is committed before keeps it from appearing; see notifications.models.Inbox.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

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
    SELECT id, user_id, due_at FROM notifications_delivery
     WHERE {chosen}
       FOR UPDATE SKIP LOCKED
), counter AS (
    INSERT INTO notifications_inbox (user_id, last_number)
    SELECT user_id, count(*) FROM item GROUP BY user_id ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE
       SET last_number = notifications_inbox.last_number + EXCLUDED.last_number
 RETURNING user_id, last_number
), numbered AS (
    SELECT item.id, counter.last_number + 1
           - row_number() OVER (PARTITION BY item.user_id ORDER BY item.due_at DESC, item.id DESC) AS number
      FROM item JOIN counter ON counter.user_id = item.user_id
)
UPDATE notifications_delivery AS delivery
   SET status = 'sent', reason = '', number = numbered.number,
       sent_at = %(now)s, created_at = %(now)s
  FROM numbered WHERE delivery.id = numbered.id
RETURNING delivery.user_id, delivery.id, delivery.number
"""

APPEAR_DUE: Final = _APPEAR.format(
    chosen="""status = 'pending' AND revocable AND lane = 'inbox'
       AND due_at <= %(now)s AND expires_at > %(now)s ORDER BY due_at LIMIT %(most)s"""
)
_APPEAR_THESE: Final = _APPEAR.format(chosen="id = ANY (%(ids)s) AND status = 'pending'")


class Appeared(NamedTuple):
    """An item that is in its inbox now."""

    user_id: UUID
    id: UUID
    number: int


def appear(ids: Iterable[UUID], *, now: datetime) -> list[Appeared]:
    """Make these items appear now, in the caller's transaction; announce them after its commit."""
    parameters: dict[str, Any] = {"ids": list(ids), "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_APPEAR_THESE, parameters)
        return [Appeared._make(row) for row in cursor.fetchall()]


def announce(appeared: Sequence[Appeared]) -> None:
    """Count the items that appeared, and tell who reads these inboxes."""
    metrics.add("deliveries", "inbox", "sent", amount=len(appeared))
    live.announce([each.user_id for each in appeared])
