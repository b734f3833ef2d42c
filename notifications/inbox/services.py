"""What a person does to their inbox; every open tab of theirs hears of it."""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from notifications.inbox import live, selectors
from notifications.models import Delivery


def item_mark(*, item: Delivery, read: bool) -> Delivery:
    """Mark an item read or unread; one that is so already keeps the time of it."""
    now = timezone.now()
    row = Delivery.objects.filter(pk=item.pk, read_at__isnull=read)
    if row.update(read_at=now if read else None):
        item.read_at = now if read else None
        _announce(item.user_id)
    return item


def items_mark_read(*, user: User, up_to: int) -> int:
    """Mark all items up to a number read, so that what came since a list was made stays unread."""
    return _change(user, selectors.unread_of(user).filter(number__lte=up_to), read_at=timezone.now())


def item_delete(*, item: Delivery) -> None:
    """Take an item out of the inbox; the delivery stays in the history."""
    if Delivery.objects.filter(pk=item.pk, dismissed_at=None).update(dismissed_at=timezone.now()):
        _announce(item.user_id)


def items_delete_read(*, user: User) -> int:
    """Take everything that has been read out of the inbox."""
    return _change(user, selectors.read_of(user), dismissed_at=timezone.now())


@transaction.atomic
def _change(user: User, items: QuerySet[Delivery], **fields: datetime) -> int:
    # In order, so that two tabs that do the same at once don't wait for each other in a circle.
    rows = items.select_related(None).order_by("number").select_for_update(no_key=True)
    changed = Delivery.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).update(**fields)
    if changed:
        _announce(user.pk)
    return changed


def _announce(user_id: UUID | None) -> None:
    assert user_id is not None  # nobody else has an inbox
    transaction.on_commit(partial(live.announce, [user_id]), robust=True)
