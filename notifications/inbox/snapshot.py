"""The stream for a server without an event loop: what there is to say now, and the client comes back."""

from accounts.models import User
from notifications.inbox import events, selectors
from notifications.inbox.items import item_of
from notifications.inbox.look import PAGE
from notifications.models import Inbox


def snapshot(user: User, after: int | None) -> bytes:
    """Return the events with which a stream would begin."""
    last_number = Inbox.objects.filter(user=user).values_list("last_number", flat=True).first() or 0
    start = last_number if after is None else min(after, last_number)
    items = selectors.newer_than(start, user=user, most=PAGE)
    notices = [events.notice(item_of(each, time_zone=user.time_zone)) for each in items]
    count = selectors.unread_of(user).count()
    return b"".join([events.retry(), events.unread(count, at=start), *notices])
