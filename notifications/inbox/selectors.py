"""What is in a person's inbox: items that they have neither deleted nor snoozed."""

from django.db.models import Q, QuerySet

from accounts.models import User
from notifications.models import InboxItem


def inbox_of(user: User) -> QuerySet[InboxItem]:
    """A person's items, in no order, each with its notification."""
    items = InboxItem.objects.filter(user=user, dismissed_at=None)
    return items.select_related("notification").order_by()


def unread_of(user: User) -> QuerySet[InboxItem]:
    return inbox_of(user).filter(read_at=None)


def read_of(user: User) -> QuerySet[InboxItem]:
    return inbox_of(user).filter(read_at__isnull=False)


def snoozed_of(user: User) -> QuerySet[InboxItem]:
    """A person's items that come back by themselves, the next first."""
    items = InboxItem.objects.filter(user=user, dismissed_at__isnull=False, snoozed_until__isnull=False)
    return items.select_related("notification").order_by("snoozed_until", "pk")


def kept_of(user: User) -> QuerySet[InboxItem]:
    """What they have not deleted: in the inbox, or snoozed. To be narrowed to some: no index has all."""
    is_kept = Q(dismissed_at=None) | Q(snoozed_until__isnull=False)
    return InboxItem.objects.filter(is_kept, user=user).select_related("notification").order_by()


def newer_than(number: int, *, user: User, most: int) -> QuerySet[InboxItem]:
    """Return the first items of a greater number, each with its notification, by number."""
    # Two halves because an item is in one of two partial indexes.
    unread, read = (
        half.filter(number__gt=number).order_by("number")[:most] for half in (unread_of(user), read_of(user))
    )
    return unread.union(read, all=True).order_by("number")[:most]
