"""What a person does to their inbox; every open tab of theirs hears of it."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from accounts.models import User
from config import clock
from config.statements import named
from notifications.inbox import live
from notifications.models import InboxItem

# Items that one statement changes.
SLICE: Final = 1000
#: For so long what was deleted or snoozed can be brought back as it was.
UNDO: Final = timedelta(minutes=10)

# In order, so that two tabs that do the same at once don't wait for each other in a circle.
_CHANGE: Final = """
WITH chosen AS MATERIALIZED (
    SELECT delivery_id FROM notifications_inboxitem
     WHERE user_id = %(user)s AND dismissed_at IS NULL AND {chosen}
     ORDER BY number LIMIT %(most)s FOR NO KEY UPDATE
)
UPDATE notifications_inboxitem AS item SET {change}
  FROM chosen WHERE item.delivery_id = chosen.delivery_id
"""
_MARK_READ: Final = _CHANGE.format(
    change="read_at = %(now)s", chosen="read_at IS NULL AND number <= %(up_to)s"
)
named("inbox.mark-read", "Mark items up to a number read.", _MARK_READ)
_UNDO_READ: Final = _CHANGE.format(change="read_at = NULL", chosen="read_at = %(read_at)s")
named("inbox.undo-read", "Mark items unread that were marked read together.", _UNDO_READ)
# What had been snoozed must not come back.
_DELETE_READ: Final = _CHANGE.format(
    change="dismissed_at = %(now)s, snoozed_until = NULL", chosen="read_at IS NOT NULL"
)
named("inbox.delete-read", "Take what has been read out of an inbox.", _DELETE_READ)


def item_mark(*, item: InboxItem, read: bool) -> InboxItem:
    """Mark an item read or unread; one that is so already keeps the time of it."""
    now = clock.now()
    row = InboxItem.objects.filter(pk=item.pk, read_at__isnull=read)
    if row.update(read_at=now if read else None):
        item.read_at = now if read else None
        live.announce_on_commit(item.user_id)
    return item


def items_mark_read(*, user: User, up_to: int, now: datetime | None = None) -> int:
    """Mark all items up to a number read, so that what came since a list was made stays unread."""
    return _change(_MARK_READ, user, up_to=up_to, now=now or clock.now())


def items_undo_read(*, user: User, read_at: datetime) -> bool:
    """Mark unread what was marked read together at this time; returns whether that was lately enough."""
    is_lately = read_at > clock.now() - UNDO
    if is_lately:
        _change(_UNDO_READ, user, read_at=read_at)
    return is_lately


def item_delete(*, item: InboxItem) -> None:
    """Take an item out of the inbox; the delivery stays in the history."""
    row = InboxItem.objects.filter(pk=item.pk, dismissed_at=None)
    if row.update(dismissed_at=clock.now(), snoozed_until=None):
        live.announce_on_commit(item.user_id)


def item_restore(*, item: InboxItem) -> bool:
    """Bring back what its person deleted or snoozed lately, as it was; returns whether it is there again."""
    lately = InboxItem.objects.filter(pk=item.pk, dismissed_at__gt=clock.now() - UNDO)
    is_back = bool(lately.update(dismissed_at=None, snoozed_until=None))
    if is_back:
        live.announce_on_commit(item.user_id)
    return is_back


def items_delete_read(*, user: User) -> int:
    """Take everything that has been read out of the inbox."""
    return _change(_DELETE_READ, user)


def _change(statement: str, user: User, **chosen: Any) -> int:
    """Change all that are chosen, a slice at a time, so that no lock is held for long; returns how many."""
    parameters = {"user": user.pk, "now": clock.now(), "most": SLICE, **chosen}
    changed, is_full = 0, True
    with connection.cursor() as cursor:
        while is_full:
            cursor.execute(statement, parameters)
            changed += cursor.rowcount
            is_full = cursor.rowcount == SLICE
    if changed:
        live.announce_on_commit(user.pk)
    return changed
