"""Items that are put aside until a time, at which they come back on top by themselves, unread.

Meanwhile they are out of the inbox as what is deleted is, so that whatever reads an inbox needs to know
nothing of them. Each comes back under the next number of its inbox: whoever asks what is new gets it.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from accounts.models import User
from config import clock, sql
from config.rest.exceptions import Conflict
from config.statements import named
from notifications import looks
from notifications.inbox import live, selectors
from notifications.models import InboxItem

#: The furthest that something can be put off.
FURTHEST: Final = timedelta(days=90)
#: So many items of an inbox can be snoozed at a time.
MOST_SNOOZED: Final = 200
#: Items that come back in one second.
AT_ONCE: Final = 1000
#: Whether there is one to bring back, as notifications.looks asks it.
ANY_DUE: Final = looks.first(
    "notifications_inboxitem WHERE dismissed_at IS NOT NULL AND snoozed_until <= %(now)s", by="snoozed_until"
)

# The inboxes are raised in the order of their people, as in the fan-out. Whoever is gone has none to raise.
_WAKE: Final = """
WITH chosen AS MATERIALIZED (
    SELECT item.delivery_id, item.user_id, item.snoozed_until
      FROM notifications_inboxitem AS item
      JOIN accounts_user AS person ON person.uuid = item.user_id
     WHERE dismissed_at IS NOT NULL AND {chosen}
), counter AS (
    INSERT INTO notifications_inbox (user_id, last_number)
    SELECT user_id, count(*) FROM chosen GROUP BY user_id ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE
       SET last_number = notifications_inbox.last_number + EXCLUDED.last_number
 RETURNING user_id, last_number
), numbered AS (
    SELECT chosen.delivery_id, counter.last_number + 1
           - row_number() OVER (PARTITION BY chosen.user_id
                                ORDER BY chosen.snoozed_until DESC, chosen.delivery_id DESC) AS number
      FROM chosen JOIN counter ON counter.user_id = chosen.user_id
)
UPDATE notifications_inboxitem AS item
   SET number = numbered.number, read_at = NULL, dismissed_at = NULL,
       snoozed_until = least(item.snoozed_until, %(now)s)
  FROM numbered WHERE item.delivery_id = numbered.delivery_id
RETURNING item.user_id
"""
_WAKE_DUE: Final = _WAKE.format(
    chosen="""snoozed_until <= %(now)s
     ORDER BY snoozed_until LIMIT %(most)s FOR NO KEY UPDATE OF item SKIP LOCKED"""
)
named("inbox.wake.due", "Bring back the items that were snoozed until now.", _WAKE_DUE)
_WAKE_THIS: Final = _WAKE.format(
    chosen="snoozed_until IS NOT NULL AND delivery_id = %(id)s FOR NO KEY UPDATE OF item"
)
named("inbox.wake.this", "Bring back an item before its time.", _WAKE_THIS)


def item_snooze(*, user: User, item: InboxItem, until: datetime) -> InboxItem:
    """Put an item of theirs aside until a time to come, or one that is aside until another.

    Raises:
        Conflict: as many as may be are aside already.
    """
    if selectors.snoozed_of(user).exclude(pk=item.pk).count() >= MOST_SNOOZED:
        raise Conflict(f"At most {MOST_SNOOZED} items can be snoozed at a time.")
    now = clock.now()
    if selectors.kept_of(user).filter(pk=item.pk).update(dismissed_at=now, snoozed_until=until):
        item.dismissed_at, item.snoozed_until = now, until
        live.announce_on_commit(user.pk)
    return item


def item_wake(*, item: InboxItem) -> InboxItem:
    """Bring back an item before its time; one that is in the inbox stays as it is."""
    if _wake(_WAKE_THIS, {"id": item.pk, "now": clock.now()}):
        item.refresh_from_db(fields=("number", "read_at", "dismissed_at", "snoozed_until"))
    return item


def items_wake(now: datetime) -> None:
    """Bring back what was snoozed until now."""
    _wake(_WAKE_DUE, {"now": now, "most": AT_ONCE})


def _wake(statement: str, parameters: dict[str, Any]) -> list[UUID]:
    """Return whose inboxes got something back, and tell them once it is committed."""
    with transaction.atomic():
        people: list[UUID] = sql.column(statement, parameters)
        transaction.on_commit(lambda: live.announce(people), robust=True)
    return people
