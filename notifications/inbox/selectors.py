"""What is in a person's inbox: deliveries to it that they have not deleted."""

from django.db.models import QuerySet

from accounts.models import User
from notifications.channels.inbox import InboxChannel
from notifications.models import Delivery


def inbox_of(user: User) -> QuerySet[Delivery]:
    """A person's items, in no order, each with its notification."""
    items = Delivery.objects.filter(
        user=user,
        channel=InboxChannel.name,
        status=Delivery.Status.SENT,
        dismissed_at=None,
        number__isnull=False,
    )
    return items.select_related("notification").order_by()


def unread_of(user: User) -> QuerySet[Delivery]:
    return inbox_of(user).filter(read_at=None)


def read_of(user: User) -> QuerySet[Delivery]:
    return inbox_of(user).filter(read_at__isnull=False)
